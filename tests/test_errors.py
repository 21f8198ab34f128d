"""The exceptions of greening: what they are, and where else they are known by that name."""

import greenlet
import pytest

import greening
from greening import errors

NAMES = ["Deadlock", "GreeningError", "GreenletExit", "PatchError"]


@pytest.mark.parametrize("name", NAMES)
def test_every_exception_is_greenings_own_or_greenlets(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, errors.GreeningError) or kind is greenlet.GreenletExit


def test_a_handler_for_all_of_ours_catches_no_kill() -> None:
    assert issubclass(errors.GreeningError, Exception)
    assert not issubclass(errors.GreenletExit, Exception)


def test_a_deadlock_is_a_runtime_error() -> None:
    assert issubclass(greening.Deadlock, RuntimeError)


def test_a_deadlock_says_where_the_others_wait(fake) -> None:
    event = greening.Event()

    def waiting() -> None:
        event.wait()

    thread = greening.spawn(waiting)
    with pytest.raises(greening.Deadlock) as caught:
        greening.Event().wait()
    assert thread.name in str(caught.value)
    assert __file__ in str(caught.value)
    event.send()
    greening.sleep(0)
