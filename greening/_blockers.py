"""What still stops all green threads of an OS thread while it waits, and what to do about it: data.

The table of the README is made of it, and `greening.debug.audit()` reports the modules that are loaded.
"""

from typing import NamedTuple


class Blocker(NamedTuple):
    """Something that waits, or works, where no patch can reach.

    Attributes:
        what: its name, as in the README.
        modules: when one of these is loaded, it is probably used; empty: that cannot be told.
        while_: when it stops everything.
        remedy: what to do.
    """

    what: str
    modules: tuple[str, ...]
    while_: str
    remedy: str


_IN_THREADS = "`tpool.execute`, or `tpool.Proxy` around the connection; as many threads as connections, or more"

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
        "`tpool.execute`",
    ),
    Blocker(
        "`termios.tcdrain`, `fcntl.ioctl`, functions called by `ctypes` or `cffi`",
        (),
        "they wait",
        "`tpool.execute`",
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
        "pyodbc, pymssql, cx_Oracle, python-ldap",
        ("pyodbc", "pymssql._mssql", "cx_Oracle", "_ldap"),
        "the server is asked",
        _IN_THREADS,
    ),
    Blocker(
        "pycurl",
        ("pycurl",),
        "`perform` waits",
        "`tpool.execute`",
    ),
)


def table() -> str:
    """The table of the README, in Markdown."""
    rows = [("what", "stops everything while", "what to do"), ("---",) * 3]
    rows += [(blocker.what, blocker.while_, blocker.remedy) for blocker in BLOCKERS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows).replace("| --- | --- | --- |", "|---|---|---|")
