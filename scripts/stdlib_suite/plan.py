"""Which of CPython's test modules are run, and how they are cut into units: one unit, one process.

A package of tests is as many units as it has files. Everything that waits, starts, locks or forks is here; modules
about text, numbers and objects are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Module:
    """One of CPython's test modules, or packages of such.

    Attributes:
        name: as under `test`.
        quick: part of --fast.
        resources: what `test.support` calls resources; nothing but loopback is used.
        pattern: tests whose names this regular expression does not find are left out: they are about other things.
    """

    name: str
    quick: bool = True
    resources: str = ""
    pattern: str = ""


@dataclass(frozen=True, slots=True)
class Unit:
    """What one process runs.

    Attributes:
        name: the module under `test`, dotted inside a package.
        source: text of a file that has to be laid first; "" when Python brings it.
    """

    name: str
    module: Module
    source: str = ""


def _all_quick(names: str) -> Iterator[Module]:
    return map(Module, names.split())


def _all_slow(names: str) -> Iterator[Module]:
    return (Module(name, quick=False) for name in names.split())


MODULES: tuple[Module, ...] = (
    # The engine's own ground: descriptors, threads, processes, signals, time.
    *_all_quick("test_select test_selectors test_poll test_epoll test_pty test_tty test_thread test_threading_local"),
    *_all_quick(
        "test_threadsignals test_queue test_time test_os test_fork1 test_wait3 test_wait4 test_popen test_sched"
    ),
    *_all_quick("test_context test_contextlib test_contextlib_async test_file_eintr test_fileio test_threadedtempfile"),
    *_all_quick("test_posix test_openpty _test_eintr"),
    Module("test_timeout", resources="network", pattern="Creation|UDPTimeout|UnixTimeout"),
    Module("test_io", pattern="(?i)pipe|signal|nonblock|thread|RWPair|fdopen|interrupt|warn|close|Misc"),
    *_all_slow("test_socket test_ssl test_threading test_signal test_subprocess"),
    # What is built on it.
    *_all_quick("test_httplib test_httpservers test_http_cookiejar test_http_cookies test_urllib test_urllib2"),
    *_all_quick("test_urllib_response test_urllib2_localnet test_urlparse test_robotparser test_smtplib test_smtpd"),
    *_all_quick("test_nntplib test_telnetlib test_asyncore test_asynchat test_xmlrpc test_docxmlrpc test_wsgiref"),
    Module("test_socketserver", resources="network"),
    *_all_slow("test_ftplib test_imaplib test_poplib test_logging"),
    # Programs of many parts.
    *_all_slow("test_asyncio test_concurrent_futures test_multiprocessing_main_handling"),
    *_all_slow("test_multiprocessing_fork test_multiprocessing_forkserver test_multiprocessing_spawn"),
)

# Distributions leave these modules out and keep what they are made of.
_METHODS = {f"test_multiprocessing_{method}": method for method in ("fork", "forkserver", "spawn")}
_PARTS = {"test_processes": "only_type='processes'", "test_threads": "only_type='threads'"}
_PARTS |= {"test_manager": "only_type='manager'", "test_misc": "exclude_types=True"}


def units_of(module: Module, folder: Path) -> list[Unit]:
    """The units of a module, in order; none: this Python does not have it.

    Args:
        folder: where the package `test` of the interpreter under test is.
    """
    home = folder / module.name
    if home.is_dir():
        return [Unit(f"{module.name}.{name}", module) for name in sorted(path.stem for path in home.glob("test_*.py"))]
    if module.name in _METHODS and (folder / "_test_multiprocessing.py").is_file():
        return [
            Unit(f"{module.name}.{name}", module, _install(_METHODS[module.name], part))
            for name, part in _PARTS.items()
        ]
    return [Unit(module.name, module)] if home.with_suffix(".py").is_file() else []


def _install(method: str, part: str) -> str:
    return (
        "from test._test_multiprocessing import install_tests_in_module_dict\n"
        f"install_tests_in_module_dict(globals(), {method!r}, {part})\n"
    )


def chosen(names: Iterable[str], fast: bool) -> list[tuple[Module, str]]:
    """The modules asked for, each with the unit inside it that was asked for, or "".

    Raises:
        ValueError: a name that is not in MODULES.
    """
    found = []
    for name in names:
        head, _, rest = name.partition(".")
        module = next((module for module in MODULES if module.name == head or module.name == f"test_{head}"), None)
        if module is None:
            raise ValueError(f"{name}: not among {', '.join(module.name for module in MODULES)}")
        found.append((module, rest and f"{module.name}.{rest}"))
    if found:
        return found
    return [(module, "") for module in MODULES if module.quick or not fast]
