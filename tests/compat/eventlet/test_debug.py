"""eventlet.debug: each switch does what it says."""

import asyncio
import re
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening.compat.eventlet import debug, hubs
from greening.compat.eventlet.hubs.timer import Timer
from greening.net.socket import GreenSocket
from greening.threads.native import execute
from greening.timeout import Timeout

Ends = tuple[GreenSocket, GreenSocket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = (GreenSocket(fileno=sock.detach()) for sock in socket.socketpair())
    with one, other, Timeout(5):
        yield one, other


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []
    monkeypatch.setattr("threading.excepthook", seen.append)
    return seen


def test_unhandled_exceptions_are_reported_or_not(reports: list[Any]) -> None:
    debug.hub_exceptions(False)
    try:
        silent = spawn(lambda: 1 // 0)
        spawn(int).link(lambda thread: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            silent.wait()
        assert hubs.get_hub().debug_exceptions is False
    finally:
        debug.hub_exceptions(True)
    assert reports == []
    with pytest.raises(ZeroDivisionError):
        spawn(lambda: 1 // 0).wait()
    assert len(reports) == 1


def test_exceptions_in_native_threads_are_reported_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    with pytest.raises(ZeroDivisionError):
        execute(lambda: 1 // 0)
    assert seen == []
    debug.tpool_exceptions(True)
    try:
        with pytest.raises(ZeroDivisionError):
            execute(lambda: 1 // 0)
    finally:
        debug.tpool_exceptions(False)
    assert [report.exc_type for report in seen] == [ZeroDivisionError]


@pytest.mark.parametrize("again", [lambda sock: sock.recv(1), lambda sock: hubs.trampoline(sock, read=True)])
def test_a_second_reader_is_an_error_if_asked_for(ends: Ends, again: Any, reports: list[Any]) -> None:
    first = spawn(ends[0].recv, 1)
    sleep(0)
    hub_module: Any = hubs.hub
    assert hub_module.g_prevent_multiple_readers is False
    debug.hub_prevent_multiple_readers(True)
    assert hub_module.g_prevent_multiple_readers is True
    try:
        with pytest.raises(
            RuntimeError, match=f"Second simultaneous read on fileno {ends[0].fileno()} .*{re.escape(first.name)}"
        ):
            again(ends[0])
    finally:
        hub_module.g_prevent_multiple_readers = False
    second = spawn(ends[0].recv, 1)
    sleep(0)
    ends[1].sendall(b"ab")
    assert {first.wait(), second.wait()} == {b"a", b"b"}


def test_one_reader_and_one_writer_are_no_error(ends: Ends) -> None:
    debug.hub_prevent_multiple_readers()
    try:
        reader = spawn(ends[0].recv, 1)
        writer = spawn(ends[0].sendall, b"x" * 3_000_000)
        sleep(0)
        ends[1].sendall(b"a")
        assert reader.wait() == b"a"
        while len(ends[1].recv(100_000)) == 100_000:
            pass
        assert ends[1].fileno() >= 0
        writer.kill()
    finally:
        debug.hub_prevent_multiple_readers(False)


def test_those_who_wait_for_descriptors_are_listed(ends: Ends) -> None:
    thread = spawn(ends[0].recv, 1)
    sleep(0)
    before, after = debug.format_hub_listeners().split("WRITERS:")
    assert f"FdListener('read', {ends[0].fileno()}, <GreenThread {thread.name!r}" in before
    assert "read" not in after
    assert ", in recv" not in before
    debug.hub_listener_stacks(True)
    try:
        assert 'File "' in debug.format_hub_listeners()
    finally:
        debug.hub_listener_stacks(False)
    thread.kill()


def test_timers_are_listed_in_the_order_of_their_time() -> None:
    later, sooner = spawn(sleep, 200), spawn(sleep, 100)
    sleep(0)
    text = debug.format_hub_timers()
    seconds = [float(found) for found in re.findall(r"due in (\S+) s", text)]
    assert len(seconds) >= 2
    assert seconds == sorted(seconds)
    later.kill()
    sooner.kill()


def test_the_loop_and_its_tasks_are_listed() -> None:
    async def main() -> str:
        return debug.format_asyncio_info()

    before, _, after = asyncio.run(main()).partition("\nEVENTLOOP: ")
    assert before.startswith("TASKS:\n{<Task ")
    assert "main()" in before
    assert "running=True" in after
    assert debug.format_asyncio_info() == "TASKS:\nset()\nEVENTLOOP: None"


def test_threads_are_listed() -> None:
    main = threading.main_thread()
    assert debug.format_threads_info().startswith("THREADS:\n{")
    assert f"{main.ident}: {main!r}" in debug.format_threads_info()


def test_timers_remember_where_they_were_made_if_asked_to() -> None:
    debug.hub_timer_stacks(True)
    assert Timer.remember_stacks
    debug.hub_timer_stacks()
    assert not Timer.remember_stacks


SPEW = """
from greening.compat.eventlet import debug

def add(one, other):
    return one + other

debug.spew(show_values={values})
add(1, 2)
debug.unspew()
add(3, 4)
"""


@pytest.mark.slow
@pytest.mark.parametrize("values", [True, False])
def test_lines_are_printed_as_they_run(run_program, values: bool) -> None:
    shown = run_program(SPEW.format(values=values)).stdout
    assert "__main__:5:     return one + other\n" in shown
    assert shown.count("return one + other") == 1
    assert ("one=1 other=2" in shown) is values


def test_only_the_modules_that_are_asked_for_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    frame = sys._getframe()
    trace = debug.Spew(trace_names=["another"])
    assert trace(frame, "line", None) is trace
    assert capsys.readouterr().out == ""
    debug.Spew(trace_names=[__name__])(frame, "line", None)
    assert capsys.readouterr().out.startswith(f"{__name__}:")
