"""The likeliest mistakes: each is told which object it is about, where that is, and what to write instead."""

import functools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import greening
from greening import aio, tpool
from greening._core.mistakes import code_of, described, is_async, looks_like_host_and_port
from greening.backdoor import backdoor_server
from greening.websocket import WebSocketWSGI
from greening.wsgi import Server, server


async def fetch(url: str = "") -> str:
    return url


class Methods:
    async def method(self) -> None: ...

    async def __call__(self, *args: object) -> None: ...


class Plain:
    def __call__(self) -> None: ...


@pytest.fixture
def listener() -> Iterator[Any]:
    with greening.listen(("127.0.0.1", 0)) as sock:
        yield sock


def error_of(call: Callable[[], object]) -> str:
    with pytest.raises(TypeError) as caught:
        call()
    return str(caught.value)


# -- Coroutines where functions belong ---------------------------------------------------------------------------------


def spawned(function: Callable[..., object]) -> object:
    thread = greening.spawn(function)
    thread.quiet = True
    return thread.wait()


PLACE = f"fetch ({__file__}:{fetch.__code__.co_firstlineno}) is an async function, and nothing of it has run."
REMEDY = "To run it: greening.aio.run(fetch(...)), or in a green thread spawn(greening.aio.run, fetch(...))"


@pytest.mark.parametrize(
    "call",
    [
        lambda: spawned(fetch),
        lambda: spawned(functools.partial(fetch, "x")),
        lambda: greening.spawn_after(0, fetch).wait(),
        lambda: greening.GreenPool().spawn(fetch).wait(),
        lambda: list(greening.GreenPool().imap(fetch, ["x"])),
        lambda: list(greening.GreenPool().imap_unordered(fetch, ["x"])),
        lambda: greening.GreenPool().map(fetch, ["x"]),
        lambda: tpool.execute(fetch),
        lambda: greening.with_timeout(1, fetch),
    ],
)
@pytest.mark.filterwarnings("error", "ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_async_function_is_named_with_its_place_and_the_remedy(call: Callable[[], object]) -> None:
    message = error_of(call)
    assert PLACE in message.replace("functools.partial", "")
    assert message.endswith(REMEDY)


def test_a_coroutine_that_another_function_has_made_is_a_result_as_any_other() -> None:
    for call in (spawned, tpool.execute, lambda make: greening.GreenPool().map(lambda _: make(), [1])[0]):
        coroutine = call(lambda: fetch("x"))
        with pytest.raises(StopIteration, match="x"):
            coroutine.send(None)


@pytest.mark.filterwarnings("error")
def test_a_coroutine_in_place_of_a_function_is_told_how_to_run_it() -> None:
    message = error_of(lambda: greening.spawn(fetch("x")))
    assert message.startswith("a callable is needed, not <coroutine object fetch at ")
    assert message.endswith(REMEDY)


def test_the_coroutine_function_in_place_of_its_coroutine_is_told_to_be_called() -> None:
    assert error_of(lambda: aio.run(fetch)).endswith(": call it: greening.aio.run(fetch())")
    assert error_of(lambda: aio.wait(3)) == "a coroutine is needed, not 3"


def test_what_is_an_async_function_in_disguise_is_known() -> None:
    wrapped = [fetch, functools.partial(fetch, 1), Methods().method, Methods(), functools.partial(Methods())]
    assert [is_async(each) for each in wrapped] == [True] * len(wrapped)
    assert [is_async(each) for each in (print, Plain(), Plain, Methods, 3, None)] == [False] * 6
    assert code_of(Plain()) is Plain.__call__.__code__
    assert described(print) == "print"
    assert described(Plain()) == f"Plain.__call__ ({__file__}:{Plain.__call__.__code__.co_firstlineno})"


# -- Functions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spawn",
    [
        greening.spawn,
        greening.spawn_n,
        greening.GreenPool().spawn,
        greening.GreenPool().spawn_n,
        lambda what: greening.spawn_after(1, what),
        lambda what: greening.spawn_after_local(1, what),
    ],
)
def test_the_result_of_a_call_in_place_of_the_function_is_told(spawn: Callable[[Any], object]) -> None:
    expected = "a callable is needed, not None: pass the function and its arguments, spawn(f, x), not what it has "
    assert error_of(lambda: spawn(None)).startswith(expected)
    page = error_of(lambda: spawn("x" * 5000))
    assert page.startswith(f"a callable is needed, not '{'x' * 79}...: pass the function and its arguments, ")


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda what: greening.with_timeout(5, what), "with_timeout(seconds, f, x)"),
        (lambda what: greening.tpool.execute(what), "execute(f, x)"),
        (greening.GreenPile().spawn, "spawn(f, x)"),
    ],
)
def test_so_is_it_where_the_call_is_made_later_or_elsewhere(call: Callable[[Any], object], meant: str) -> None:
    expected = f"a callable is needed, not (): pass the function and its arguments, {meant}, not what it has returned, "
    assert error_of(lambda: call(())) == f"{expected}{meant.replace('f, x', 'f(x)')}"


def test_a_green_thread_is_made_by_spawn() -> None:
    assert "made by spawn(function" in error_of(lambda: greening.GreenThread(print))  # type: ignore[call-arg]


# -- Servers and addresses ---------------------------------------------------------------------------------------------


def test_an_address_in_place_of_a_listening_socket_is_told() -> None:
    remedy = "needs a listening socket, not ('', 80): greening.listen(('', 80))"
    assert error_of(lambda: greening.serve(("", 80), print)) == f"serve() {remedy}"
    assert error_of(lambda: server(("", 80), print)) == f"wsgi.Server {remedy}"
    assert error_of(lambda: greening.StreamServer(80, print)).endswith(": greening.listen(('127.0.0.1', 80))")


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        (8000, "(('127.0.0.1', 8000))"),
        ("127.0.0.1:8000", "(('127.0.0.1', 8000))"),
        (":8000", "(('127.0.0.1', 8000))"),
        ("8000", "(('127.0.0.1', 8000))"),
        (("localhost", "8000"), "(('localhost', 8000))"),
        ([" ", 1], "((' ', 1))"),
        ((8000, "localhost"), "(('localhost', 8000))"),
        ((None, 8000), "(('', 8000))"),
        (("localhost",), "(('127.0.0.1', 8000))"),
        ("/run/app", "('/run/app', socket.AF_UNIX)"),
        (None, "(('127.0.0.1', 8000))"),
    ],
)
@pytest.mark.parametrize("call", [greening.listen, greening.connect])
def test_what_is_no_address_is_told_with_the_address_that_was_meant(
    call: Callable[[Any], object], address: object, meant: str
) -> None:
    message = error_of(lambda: call(address))
    assert message.startswith(f"an address is (host, port), not {address!r} (")
    assert message.endswith(f"greening.{call.__name__}{meant}")


@pytest.mark.parametrize("port", [8000, "8000"])
@pytest.mark.parametrize("call", [greening.listen, greening.connect])
def test_host_and_port_as_two_arguments_are_told_to_be_one(call: Callable[..., object], port: object) -> None:
    remedy = f"greening.{call.__name__}(('localhost', 8000))"
    assert error_of(lambda: call("localhost", port)) == f"an address is one argument, (host, port): {remedy}"


def test_a_backlog_that_is_no_number_is_not_blamed_on_the_address() -> None:
    message = error_of(lambda: greening.listen(("127.0.0.1", 0), backlog="5"))  # type: ignore[arg-type]
    assert message == "backlog is a number of connections, not '5'"


def test_what_cannot_be_listened_at_is_named_with_the_remedy(listener: Any) -> None:
    taken = listener.getsockname()
    with pytest.raises(OSError, match="in use") as caught:
        greening.listen(taken)
    remedy = "another socket listens there; `ss -ltnp` names its process, and port 0 lets the system choose"
    assert caught.value.__notes__ == [f"greening.listen({taken!r}): {remedy}"]
    for address, start in ((("192.0.2.1", 0), ": this machine does not have"), (("127.0.0.1", 70000), "")):
        with pytest.raises((OSError, OverflowError)) as refused:
            greening.listen(address)
        assert refused.value.__notes__[0].startswith(f"greening.listen({address!r}){start}")


def test_what_cannot_be_connected_to_is_named() -> None:
    with greening.listen(("127.0.0.1", 0)) as once:
        address = once.getsockname()
    with pytest.raises(ConnectionRefusedError) as caught:
        greening.connect(address)
    assert caught.value.__notes__ == [f"greening.connect({address!r})"]


def test_an_address_in_place_of_a_websockets_url_is_told() -> None:
    message = error_of(lambda: greening.websocket.connect(("h", 80)))  # type: ignore[arg-type]
    assert message == "a ws:// or wss:// URL is needed, not ('h', 80)"


def test_host_and_port_in_one_text_do_not_make_a_unix_socket_of_that_name() -> None:
    message = error_of(lambda: greening.StreamServer("127.0.0.1:8000", print))
    assert message.endswith("(as the path of a Unix socket, begin it with ./): StreamServer(('127.0.0.1', 8000))")
    paths = ["./app:8000", "/run/app", "app", "app:", "app:x", b"app:1", None]
    assert [path for path in paths if looks_like_host_and_port(path)] == []


def test_a_handler_that_cannot_be_called_is_told_when_the_server_is_made(listener: Any) -> None:
    for make, name, with_what in (
        (greening.serve, "serve()", "(connection, address)"),
        (greening.StreamServer, "StreamServer", "(connection, address)"),
        (Server, "wsgi.Server", "(environ, start_response)"),
        (server, "wsgi.Server", "(environ, start_response)"),
    ):
        expected = f"{name} calls a function with {with_what}; 'app' is not callable"
        assert error_of(lambda make=make: make(listener, "app")) == expected  # type: ignore[misc]
        message = error_of(lambda make=make: make(listener, Methods()))  # type: ignore[misc]
        assert re.fullmatch(re.escape(f"{name} calls a function with {with_what}, in a green thread; ") + ".*", message)
        assert message.endswith("of which nothing would run: call coroutines in it by greening.aio.run()")


def test_the_socket_comes_before_the_function() -> None:
    assert error_of(lambda: greening.serve(print, 3)).endswith(": the socket comes first, then the function")  # type: ignore[arg-type]


def test_other_servers_and_sockets_are_told_the_same() -> None:
    assert error_of(lambda: backdoor_server(("", 80))).startswith(
        "backdoor_server needs a listening socket, not ('', 80)"
    )
    message = error_of(lambda: WebSocketWSGI("x"))  # type: ignore[arg-type]
    assert message == "WebSocketWSGI calls a function with (websocket); 'x' is not callable"
    assert "is an async function, of which" in error_of(lambda: WebSocketWSGI(fetch))  # type: ignore[arg-type]


# -- The rest ----------------------------------------------------------------------------------------------------------


def test_flags_of_monkey_patch_have_names() -> None:
    expected = "monkey_patch() takes its flags by name: monkey_patch(socket=True, time=True)"
    assert error_of(lambda: greening.monkey_patch("socket", time)) == expected
    assert error_of(lambda: greening.monkey_patch(["socket"])).endswith("by name: monkey_patch(socket=True)")
    assert error_of(lambda: greening.monkey_patch(True)).endswith("by name: monkey_patch()")
    assert "not know 'sockets' (did you mean 'socket'?); the flags" in error_of(
        lambda: greening.monkey_patch(sockets=True)
    )


@pytest.mark.parametrize("size", ["10", b"10", None, [], float("inf")])
def test_the_size_of_a_pool_is_a_number(size: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greening.GreenPool, "takes_text", False)
    for make in (greening.GreenPool, greening.GreenPile, greening.GreenPool().resize):
        assert error_of(lambda make=make: make(size)) == f"pool size must be a number, not {size!r}"  # type: ignore[misc]


def test_for_programs_of_eventlet_text_is_a_size(run_program: Callable[..., Any]) -> None:
    program = (
        "import greening.compat.eventlet as e; e.install()\nimport eventlet; print(eventlet.GreenPool('10').size)\n"
    )
    assert run_program(program).stdout == "10\n"


def test_a_put_that_nobody_waits_for_says_that_the_queue_is_a_channel(run_program: Callable[..., Any]) -> None:
    done = run_program("import greening\ngreening.Queue(0).put(1)\n", check=False)
    assert "Deadlock" in done.stderr
    assert re.search(r"<Queue .* maxsize=0 .*> is a channel: put\(\) waits for a get\(\)", done.stderr)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Pool", ": here it is greening.GreenPool"),
        ("gather", ": here it is greening.joinall"),
        ("move_on_after", ": here it is greening.Timeout"),
        ("Channel", r": here it is greening.Queue\(0\)"),
        ("hubs", ": it is a module of eventlet's, and greening.compat.eventlet.hubs here"),
        ("nothing_of_anybody", ""),
    ],
)
def test_names_of_other_libraries_are_told_where_they_are(name: str, hint: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'{hint}$"):
        getattr(greening, name)


def test_a_misspelt_name_is_answered_with_the_right_one(run_program: Callable[..., Any]) -> None:
    done = run_program("import greening\ngreening.spwan\n", check=False)
    # From 3.15 on: Did you mean '.spawn' instead of '.spwan'?
    assert re.search(r"has no attribute 'spwan'. Did you mean:? '\.?spawn'[^\n]*\?\n\Z", done.stderr), done.stderr


@pytest.mark.parametrize("call", [greening.original, greening.import_patched])
def test_a_module_in_place_of_its_name_is_told(call: Callable[[Any], object]) -> None:
    assert error_of(lambda: call(re)) == f"a module's name is needed, not {re!r}: {call.__name__}('re')"


@pytest.mark.parametrize("call", [greening.wait, greening.joinall, greening.as_completed])
def test_one_green_thread_in_place_of_several_is_told(call: Callable[[Any], object]) -> None:
    thread = greening.spawn(greening.sleep)
    assert error_of(lambda: call(thread)) == f"several green threads are needed, [thread] for one, not {thread!r}"
    thread.wait()


@pytest.mark.parametrize("name", ["map", "imap", "imap_unordered", "starmap"])
def test_the_items_in_place_of_the_function_of_a_map_are_told(name: str) -> None:
    expected = "a callable is needed, not [1]: the function comes first, then its arguments"
    assert error_of(lambda: getattr(greening.GreenPool(), name)([1], print)) == expected


@pytest.mark.parametrize("name", ["map", "imap_unordered"])
def test_a_map_over_nothing_is_told(name: str) -> None:
    expected = f"{name}() needs something to iterate over: pool.{name}(function, items)"
    assert error_of(lambda: getattr(greening.GreenPool(), name)(print)) == expected


def test_a_timeout_of_a_semaphore_is_a_number() -> None:
    assert error_of(lambda: greening.Semaphore(0).acquire(timeout="1")).endswith("or None, not '1'")  # type: ignore[arg-type]
