"""The call that a line is in, and what to do about it."""

import hashlib
import re
import socket
import sys
import time
from types import FrameType
from typing import Any

import pytest

from greening.debug import calls
from greening.debug.calls import Call, call_of, remedy_for
from greening.patcher.ledger import LEDGER


class Seen:
    """Is called, and keeps what `call_of` says of its caller."""

    def __init__(self) -> None:
        self.call = Call("?")

    def __call__(self, *args: object) -> "Seen":
        frame: FrameType | None = sys._getframe(1)
        assert frame is not None
        self.call = call_of(frame, frame.f_lasti)
        return self

    method = __call__


def test_the_call_is_told_as_the_source_has_it() -> None:
    seen = Seen()
    seen(1, "two")
    assert seen.call == Call('seen(1, "two")', __name__, "seen")


def test_a_method_is_found_in_the_class_of_its_object() -> None:
    seen = Seen()
    seen.method(
        1,
    )
    assert seen.call == Call("seen.method( 1, )", __name__, "method")


def test_a_long_call_is_cut() -> None:
    seen = Seen()
    seen("x" * 10, "a long argument", "another long argument", "and one more of them")
    assert len(seen.call.text) == 60
    assert seen.call.text.endswith("...")


@pytest.mark.parametrize(
    ("call", "module"),
    [
        ("time.sleep(1)", "time"),
        ("hashlib.sha256(b'')", "_hashlib"),
        ("connection.recv(1)", "socket"),
        ("pattern.match('')", "re"),
        ("receive(1)", "socket"),
        ("len('')", ""),
        ("missing(1)", ""),
        ("[time.sleep][0](1)", ""),
    ],
)
def test_where_the_function_comes_from(call: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = socket.socket()
    names = {
        "time": time,
        "hashlib": hashlib,
        "connection": connection,
        "pattern": re.compile("x"),
        "receive": connection.recv,
    }
    if LEDGER.flags:
        pytest.skip("the functions are greening's")
    frame = stopped(call, names)
    monkeypatch.setattr(calls.linecache, "getline", lambda name, number, scope=None: call)
    assert call_of(frame, frame.f_lasti).module == module
    assert call_of(frame, frame.f_lasti).text == call
    connection.close()


def stopped(call: str, names: dict[str, Any]) -> Any:
    """A frame that is at the call, as it looks to another OS thread."""
    code = compile(call, "<call>", "eval")
    positions = list(code.co_positions())
    whole = (1, 1, 0, len(call.encode()))
    at = max(index for index, position in enumerate(positions) if position == whole)

    class Frame:
        f_code, f_lasti, f_locals, f_globals = code, at * 2, names, names

    return Frame()


def test_no_code_of_the_program_is_run() -> None:
    class Trap:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError("asked")

        @property
        def call(self) -> Any:
            raise AssertionError("asked")

    frame = stopped("trap.call(1)", {"trap": Trap()})
    assert calls._value(calls.ast.parse("trap.call", mode="eval").body, frame) is vars(Trap)["call"]
    assert calls._value(calls.ast.parse("trap.none", mode="eval").body, frame) is None


PATCH, TPOOL = "monkey_patch", "tpool.execute"


@pytest.mark.parametrize(
    ("module", "modules", "computed", "flags", "said"),
    [
        ("time", [], False, set(), PATCH),
        ("socket", [], None, set(), PATCH),
        ("time", [], False, {"time"}, "audit"),
        ("_io", [], False, {"os"}, TPOOL),
        ("sqlite3", [], True, set(), "check_same_thread"),
        ("", ["sqlite3.dbapi2"], True, set(), "check_same_thread"),
        ("", ["re", "app"], True, set(), "backtracks"),
        ("_hashlib", [], True, set(), TPOOL),
        ("some_driver", [], False, set(), TPOOL),
        ("", ["app"], True, set(), "another process"),
        ("ctypes", [], False, {"thread"}, TPOOL),
    ],
)
def test_the_remedy(
    module: str, modules: list[str], computed: bool | None, flags: set[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LEDGER, "flags", flags)
    assert said in remedy_for(Call("f()", module, "f"), modules, computed)
