"""What is known to stop all green threads of an OS thread while it waits or works, and what to do about it: data.

`BLOCKERS` is the table of the README, `LIBRARIES` that of docs/libraries-in-c.md. The audit reports those of both that
are loaded, and the watchdog adds the remedy to its reports.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Blocker(NamedTuple):
    """Something that waits, or works, where no patch can reach.

    Attributes:
        what: its name, as in the tables.
        modules: when one of these is loaded, it is probably used; empty: that cannot be told.
        while_: when it stops everything.
        remedy: what to do.
        tried: the version that stopped everything in a trial; "": it has been read, or is part of CPython.
        plugin: the module whose plug-in has it wait greenly; "": there is none.
    """

    what: str
    modules: tuple[str, ...]
    while_: str
    remedy: str
    tried: str = ""
    plugin: str = ""


_IN_THREADS = "`tpool.execute`, or `tpool.Proxy` around the connection; as many threads as connections, or more"
_PLUGIN = "the plug-in does it; without it `tpool.execute`"
_CALLS = "`tpool.execute`"

BLOCKERS = (
    Blocker(
        "Calculations: regular expressions, parsing, images, numbers",
        (),
        "they last",
        "another process; `tpool.execute` where the GIL is released (`zlib`, `hashlib`)",
    ),
    Blocker(
        "Files on disk, `os.fsync`, pages of an `mmap`",
        (),
        "the disk, or the file server, is slow",
        _CALLS,
    ),
    Blocker(
        "`termios.tcdrain`, `fcntl.ioctl`, functions called by `ctypes` or `cffi`",
        (),
        "they wait",
        _CALLS,
    ),
    Blocker(
        "`curses`: `getch`, `getkey`, `getstr`",
        ("_curses",),
        "no key is pressed",
        "`select.select([0], [], [])` before `getch`",
    ),
    Blocker(
        "`tkinter`: `mainloop`",
        ("_tkinter",),
        "it runs",
        "a loop of `update()` and `greening.sleep(0.01)`",
    ),
    Blocker(
        "`sqlite3`",
        ("_sqlite3",),
        "a statement lasts, or `backup`",
        "`tpool.execute` and `check_same_thread=False`",
    ),
    Blocker(
        "Libraries that wait in C: pyodbc, pymssql, pycurl, lmdb, libvirt and "
        "[others](docs/libraries-in-c.md), unless a plug-in is active",
        (),
        "the server is asked",
        _IN_THREADS,
    ),
)

LIBRARIES = (
    # With a plug-in: see greening/integrations.py.
    Blocker("cassandra-driver with libev", ("cassandra.io.libevwrapper",), "it waits in its loop", _PLUGIN, "",
            "cassandra.io.libevreactor"),
    Blocker("confluent-kafka", ("confluent_kafka.cimpl",), "it polls, flushes or asks for metadata", _PLUGIN, "",
            "confluent_kafka.cimpl"),
    Blocker("grpcio", ("grpc._cython.cygrpc",), "a call waits for its answer", _PLUGIN, "", "grpc._cython.cygrpc"),
    Blocker("mysqlclient", ("MySQLdb._mysql",), "the server is asked", _PLUGIN, "", "MySQLdb.connections"),
    Blocker("psycopg with its C implementation", ("psycopg_c._psycopg", "psycopg_binary._psycopg"),
            "the server is asked", _PLUGIN, "", "psycopg.waiting"),
    Blocker("psycopg2", ("psycopg2._psycopg",), "the server is asked", _PLUGIN, "", "psycopg2"),
    Blocker("pyzmq", ("zmq.backend.cython._zmq",), "a socket has no message, or a poll waits", _PLUGIN, "", "zmq"),
    # Databases
    Blocker("apsw", ("apsw",), "a statement lasts, or the database is locked", _CALLS),
    Blocker("cx_Oracle", ("cx_Oracle",), "the server is asked", "oracledb in its thin mode, which is green"),
    Blocker("duckdb", ("_duckdb", "duckdb.duckdb"), "a query lasts", _CALLS, "2.0.1"),
    Blocker("ibm_db", ("ibm_db",), "the server is asked", _IN_THREADS),
    Blocker("lmdb", ("lmdb.cpython", "lmdb_cffi"), "another process writes, or the disk is slow", _CALLS, "3.0.0"),
    Blocker("mariadb", ("mariadb._mariadb",), "the server is asked", "PyMySQL, which is green; or `tpool.Proxy`"),
    Blocker("mysql-connector-python with its C extension", ("_mysql_connector",), "the server is asked",
            "`connect(use_pure=True)`, which is green"),
    Blocker("pymssql", ("pymssql._mssql",), "the server is asked", _IN_THREADS, "2.4.6"),
    Blocker("pyodbc", ("pyodbc",), "the server is asked", _IN_THREADS),
    Blocker("plyvel", ("plyvel._plyvel",), "the disk is slow", _CALLS),
    # Other servers
    Blocker("couchbase", ("couchbase.logic.pycbc_core._core", "couchbase.pycbc_core"), "the server is asked",
            _IN_THREADS),
    Blocker("gssapi, kerberos", ("gssapi.raw.creds", "kerberos"), "the KDC is asked", _CALLS),
    Blocker("libvirt-python", ("libvirtmod",), "the hypervisor is asked", "`tpool.Proxy` around the connection"),
    Blocker("pulsar-client", ("_pulsar",), "it connects, sends or receives", _CALLS, "3.13.0"),
    Blocker("pycurl", ("pycurl", "pycurl._pycurl"), "`perform` waits",
            "`tpool.execute`; or urllib3, requests, httpx, which are green", "7.49.0"),
    Blocker("pygit2", ("pygit2._pygit2",), "it clones, fetches or pushes", _CALLS, "1.21.0"),
    Blocker("pylibmc", ("_pylibmc",), "the server is asked", "pymemcache, which is green"),
    Blocker("python-ldap", ("_ldap",), "the server is asked", "ldap3, which is green; or `tpool.execute`"),
    Blocker("rados, rbd, cephfs (Ceph)", ("rados", "rbd", "cephfs"), "the cluster is asked",
            "`tpool.Proxy` around the connection and the images"),
    Blocker("ssh2-python", ("ssh2.session",), "the peer is waited for", "paramiko, which is green", "1.2.0"),
    # This machine
    Blocker("bcrypt, argon2-cffi", ("bcrypt._bcrypt", "_argon2_cffi_bindings._ffi"), "a hash is made: 0.1 s and more",
            _CALLS, "bcrypt 5.0.0"),
    Blocker("evdev", ("evdev._input",), "no event comes", "`select.select` before `read`"),
    Blocker("OpenCV", ("cv2",), "a camera or a stream has no picture, or a picture is worked on", _CALLS),
    Blocker("posix_ipc, sysv_ipc", ("posix_ipc", "sysv_ipc"), "a semaphore or a queue is waited for",
            "`tpool.execute`; or `multiprocessing`, whose locks and queues are green", "posix_ipc 1.3.2"),
    Blocker("Qt, GTK, wxWidgets", ("PyQt5.QtCore", "PyQt6.QtCore", "PySide2.QtCore", "PySide6.QtCore", "gi._gi",
            "wx._core"), "their loop runs", "a timer of theirs that calls `greening.sleep(0)`"),
    Blocker("watchfiles", ("watchfiles._rust_notify",), "no file changes", _CALLS, "1.3.0"),
)  # fmt: skip


def table() -> str:
    """The table of the README, in Markdown."""
    rows = [(blocker.what, blocker.while_, blocker.remedy) for blocker in BLOCKERS]
    return _markdown(("what", "stops everything while", "what to do"), rows)


def libraries_table() -> str:
    """The table of docs/libraries-in-c.md."""
    rows = [(library.what, library.tried, library.while_, library.remedy) for library in LIBRARIES]
    return _markdown(("library", "tried", "stops everything while", "what to do"), rows)


def _markdown(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in (head, *rows)]
    return "".join([lines[0], "|---" * len(head) + "|\n", *lines[1:]])


def plain(text: str) -> str:
    """A text of the tables without Markdown."""
    return text.replace("`", "")
