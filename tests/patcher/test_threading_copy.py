"""The code of `threading` is executed a second time without disturbing the first."""

import atexit
import sys
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from greening._originals import allocate_lock
from greening.patcher.threading_copy import finish, quiet

OLD = pytest.mark.skipif(sys.version_info >= (3, 13), reason="3.13 has no sentinels")


@pytest.fixture
def low() -> SimpleNamespace:
    """A `_thread`."""
    return SimpleNamespace(_set_sentinel="its own")


@OLD
def test_the_body_gets_an_ordinary_lock_instead_of_the_sentinel(low: SimpleNamespace) -> None:
    with quiet("threading", lambda name: low if name == "_thread" else None):
        assert low._set_sentinel is allocate_lock
    assert low._set_sentinel == "its own"
    with pytest.raises(KeyError), quiet("threading", lambda name: low):
        raise KeyError
    assert low._set_sentinel == "its own"


def test_other_modules_are_executed_as_they_are(low: SimpleNamespace) -> None:
    def load(name: str) -> Any:
        raise AssertionError(name)

    with quiet("queue", load):
        assert low._set_sentinel == "its own"
    finish(ModuleType("queue"), load)


def test_a_finished_copy_joins_its_threads_at_exit_by_what_shutdown_is_then(
    low: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[Callable[[], object]] = []
    monkeypatch.setattr(atexit, "register", registered.append)
    copy: Any = ModuleType("threading")
    finish(copy, lambda name: low)
    if sys.version_info < (3, 13):
        assert copy._set_sentinel == "its own"
    called: list[str] = []
    copy._shutdown = lambda: called.append("the patched one")
    (at_exit,) = registered
    at_exit()
    assert called == ["the patched one"]


def test_the_threads_of_a_green_copy_end_before_the_program(run_program: Callable[..., Any]) -> None:
    done = run_program(
        """
from greening.green import threading
import sys
import threading as real
gate = threading.Event()
threading.Thread(target=lambda: (gate.wait(), print("joined"))).start()
threading.Timer(0.01, gate.set).start()
assert threading is not real and real.active_count() == 1
"""
    )
    assert done.stdout == "joined\n"


def test_the_process_has_its_own_threading_all_the_while() -> None:
    assert threading.main_thread().is_alive()
    assert sys.modules["threading"] is threading
