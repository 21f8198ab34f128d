"""The names that programs take from eventlet's modules are there, and functions take eventlet's keywords.

The table is eventlet's, and the last test asks eventlet itself.
"""

import inspect
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

HERE = "greening.compat.eventlet"

# Names by module, with the parameters of functions and of classes' constructors: "name(parameter, ...)".
NAMES = {
    "": """
        connect(addr, family, bind) listen(addr, family, backlog, reuse_addr, reuse_port)
        serve(sock, handle, concurrency) wrap_ssl StopServe Event GreenPool(size) GreenPile(size_or_pool)
        sleep(seconds) spawn(func) spawn_n(func)
        spawn_after(seconds, func) kill(g) EventletDeprecationWarning
        import_patched(module_name) monkey_patch Queue(maxsize) Semaphore(value)
        CappedSemaphore(count, limit) BoundedSemaphore(value) Timeout(seconds, exception) wrap_is_timeout(base)
        with_timeout(seconds, function) is_timeout(obj) getcurrent TimeoutError exc_after(seconds)
        call_after_global(seconds, func)
        greenlet __version__
    """,
    "asyncio": "spawn_for_awaitable(coroutine)",
    "backdoor": "backdoor_server(sock, locals) backdoor(conn_info, locals)",
    "convenience": """
        connect listen serve StopServe wrap_ssl ReuseRandomPortWarning ReusePortUnavailableWarning
    """,
    "corolocal": "local get_ident",
    "coros": "metaphore",
    "debug": """
        Spew(trace_names, show_values) spew(trace_names, show_values) unspew format_hub_listeners format_hub_timers
        format_asyncio_info format_threads_info
        hub_listener_stacks(state) hub_timer_stacks(state) hub_prevent_multiple_readers(state) hub_exceptions(state)
        tpool_exceptions(state) hub_blocking_detection(state, resolution) format_asyncio_info format_threads_info
    """,
    "event": "Event NOT_USED",
    "green.builtin": "open file",
    "green.profile": "Profile run runctx",
    "green.ssl": "GreenSSLSocket GreenSSLContext wrap_socket SSLError create_default_context",
    "green.thread": "Lock LockType allocate_lock start_new_thread get_ident(gr) exit stack_size",
    "greenio": """
        GreenSocket GreenPipe(name, mode, buffering, encoding, errors, newline, closefd, opener) set_nonblocking(fd)
        shutdown_safe(sock) SOCKET_BLOCKING SOCKET_CLOSED CONNECT_ERR CONNECT_SUCCESS socket_timeout _fileobject
    """,
    "greenio.base": "GreenSocket shutdown_safe set_nonblocking",
    "greenio.py3": "GreenPipe GreenFileIO",
    "greenpool": "GreenPool GreenPile GreenMap",
    "greenthread": """
        GreenThread getcurrent sleep spawn(func) spawn_n(func) spawn_after(seconds, func)
        spawn_after_local(seconds, func)
        call_after_global(seconds, func) call_after_local(seconds, function) call_after exc_after TimeoutError
        with_timeout(seconds, function) cancel(g) kill(g) GreenletExit greenlet
    """,
    "hubs": """
        use_hub(mod) get_hub get_default_hub trampoline(fd, read, write, timeout, timeout_exc, mark_as_closed)
        notify_close(fd) notify_opened(fd) IOClosed HubError builtin_hub_names
    """,
    "hubs.asyncio": "Hub is_available",
    "hubs.epolls": "Hub is_available",
    "hubs.hub": "BaseHub(clock) FdListener closed_callback(fileno) READ WRITE",
    "hubs.kqueue": "Hub is_available",
    "hubs.poll": "Hub is_available",
    "hubs.selects": "Hub is_available",
    "hubs.timer": "Timer(seconds, cb) LocalTimer",
    "lock": "Lock",
    "patcher": """
        inject(module_name, new_globals) import_patched(module_name) patch_function(func) original(modname)
        already_patched monkey_patch is_monkey_patched(module)
        slurp_properties(source, destination, ignore, srckeys)
    """,
    "queue": "Queue(maxsize) LightQueue(maxsize) PriorityQueue LifoQueue Empty Full Waiter",
    "semaphore": "Semaphore(value) BoundedSemaphore(value) CappedSemaphore(count, limit)",
    "support": "get_errno(exc) bytes_to_str(b, encoding) PY33 wrap_deprecated(old, new)",
    "support.greendns": """
        getaddrinfo gethostbyname gethostbyname_ex getnameinfo is_ipv4_addr is_ipv6_addr is_ip_addr reset
    """,
    "support.greenlets": "getcurrent GreenletExit greenlet",
    "timeout": "Timeout(seconds, exception) with_timeout(seconds, function) wrap_is_timeout is_timeout",
    "tpool": "execute(meth) Proxy setup killall set_num_threads(nthreads)",
}

# Methods by class.
METHODS = {
    "event.Event": """
        reset() ready() has_exception() has_result() poll(notready) poll_exception(notready) poll_result(notready)
        wait(timeout) send(result, exc) send_exception()
    """,
    "greenpool.GreenPool": """
        resize(new_size) running() free() spawn(function) spawn_n(function) waitall() waiting()
        starmap(function, iterable) imap(function)
    """,
    "greenpool.GreenPile": "spawn(func) next()",
    "greenpool.GreenMap": "next()",
    "greenthread.GreenThread": "wait() link(func) unlink(func) kill() cancel() throw() switch() dead",
    "hubs.hub.BaseHub": """
        add(evtype, fileno, cb, tb, mark_as_closed) remove(listener) switch() abort(wait) running clock greenlet READ
        WRITE
        schedule_call_global(seconds, cb) schedule_call_local(seconds, cb) add_timer(timer) get_readers() get_writers()
        get_timers_count() set_debug_listeners(value) set_timer_exceptions(value) notify_close(fileno)
        mark_as_reopened(fileno) remove_descriptor(fileno) ensure_greenlet()
    """,
    "hubs.timer.Timer": "copy() schedule() cancel()",
    "queue.LightQueue": """
        qsize() resize(size) putting() getting() empty() full() put(item, block, timeout) put_nowait(item)
        get(block, timeout) get_nowait()
    """,
    "queue.Queue": "task_done() join()",
    "semaphore.Semaphore": "locked() bounded() acquire(blocking, timeout) release() balance counter",
    "semaphore.CappedSemaphore": "locked() bounded() acquire(blocking) release(blocking) balance",
    "timeout.Timeout": "start() cancel() pending",
}


def listed(table: dict[str, str]) -> list[tuple[str, str, list[str]]]:
    """(owner, name, parameters) of each entry."""
    entries = []
    for owner, text in table.items():
        for part in text.replace(", ", ",").split():
            name, _, parameters = part.rstrip(")").partition("(")
            entries.append((owner, name, [one for one in parameters.split(",") if one]))
    return entries


def taken(value: Any) -> list[str]:
    """The parameters that can be given by name."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return []
    return [one.name for one in signature.parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]


def missing(package: str) -> list[str]:
    """What of the tables is not there, or takes other keywords."""
    wrong = []
    for module, name, parameters in listed(NAMES):
        found = getattr(import_module(f"{package}.{module}".rstrip(".")), name, wrong)
        if found is wrong or taken(found)[: len(parameters)] != parameters:
            wrong.append(f"{module}.{name}({', '.join(parameters)})")
    for owner, name, parameters in listed(METHODS):
        module, _, kind = owner.rpartition(".")
        cls = getattr(import_module(f"{package}.{module}"), kind)
        found = getattr(cls, name, wrong)
        # The first parameter is `self`, which may be positional only.
        given = [one for one in taken(found) if one != "self"]
        if (found is wrong and name not in ("counter", "balance")) or given[: len(parameters)] != parameters:
            wrong.append(f"{owner}.{name}({', '.join(parameters)})")
    return wrong


def test_every_name_is_there_and_takes_eventlets_keywords() -> None:
    assert missing(HERE) == []


def test_small_modules_do_what_they_say() -> None:
    package = import_module(HERE)
    with package.green.builtin.open("/dev/null") as file:
        assert file.read() == ""
    assert package.green.builtin.len is len
    assert package.green.thread.Lock().acquire() is True
    assert package.timeout.is_timeout(package.Timeout())
    assert package.timeout.is_timeout(TimeoutError())
    assert not package.timeout.is_timeout(ValueError())
    assert package.timeout.is_timeout(package.wrap_is_timeout(type("Mine", (Exception,), {}))())
    assert package.timeout.is_timeout(package.wrap_is_timeout(lambda: ValueError())())
    assert package.support.get_errno(OSError(2, "")) == 2
    assert package.green.thread.get_ident() == package.green.thread.get_ident(package.getcurrent())
    assert issubclass(package.EventletDeprecationWarning, Warning)
    with pytest.raises(package.greenlet.GreenletExit):
        package.spawn(package.green.thread.exit).wait()


def test_what_is_deprecated_warns_and_works() -> None:
    package = import_module(HERE)
    decorate = package.support.wrap_deprecated("old_name", "other.new_name")

    class Thing:
        def __init__(self, value: int) -> None:
            self.value = value

    with pytest.warns(DeprecationWarning, match=r"eventlet\.old_name is deprecated: use other\.new_name"):
        assert decorate(divmod)(7, 2) == (3, 1)
    kind = decorate(Thing)
    assert (kind.__name__, kind.__module__, issubclass(kind, Thing)) == ("Thing", __name__, True)
    with pytest.warns(DeprecationWarning, match="old_name"):
        assert kind(5).value == 5


def test_a_metaphore_is_waited_for_until_it_is_zero() -> None:
    package = import_module(HERE)
    metaphore = package.coros.metaphore()
    metaphore.wait()
    metaphore.inc(2)
    waiter = package.spawn(metaphore.wait)
    metaphore.dec()
    package.sleep(0)
    assert not waiter.dead
    metaphore.dec()
    waiter.wait()
    with pytest.raises(AssertionError, match="cannot be taken"):
        metaphore.dec()
    with pytest.raises(AssertionError, match="above zero"):
        metaphore.inc(0)


ORACLE = """
import sys
sys.path.insert(0, {root!r})
from tests.compat.eventlet.test_names import missing
print(*missing("eventlet"), sep="\\n")
"""


def test_the_table_is_eventlets() -> None:
    """In a process of its own: eventlet would warn of forks in this one from now on."""
    if find_spec("eventlet") is None:
        pytest.skip("eventlet is not installed")
    root = str(Path(__file__).resolve().parents[3])
    command = [sys.executable, "-W", "ignore", "-c", ORACLE.format(root=root)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    set_by_constructors = {f"hubs.hub.BaseHub.{name}()" for name in ("running", "clock", "greenlet")}
    of_python_2 = {"green.builtin.file()"}
    assert set(shown.split("\n")) - {""} == set_by_constructors | of_python_2
