"""What the tests of native threads share: a pool of two, and a call that blocks its OS thread until it is let go."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from greening._core.current import get_hub
from greening._core.waiting import sleep
from greening._originals import allocate_lock
from greening.sync.event import Event
from greening.threads import native
from greening.threads.native import NativePool, wait_gone


@pytest.fixture
def pool() -> Iterator[NativePool]:
    pool = NativePool(2)
    yield pool
    assert get_hub().external_waits == 0
    wait_gone(pool.dismiss_idle())
    assert not pool._alive
    native._pools.remove(pool)


class Gate:
    """A call that blocks its OS thread until it is opened. `started` says that it has begun, to green threads."""

    def __init__(self, result: Any = None) -> None:
        self.started = Event()
        self.calls = 0
        self._result = result
        self._hub = get_hub()
        self._lock = allocate_lock()
        self._lock.acquire()

    def __call__(self) -> Any:
        self.calls += 1
        if self.calls == 1:
            self._hub.post(self.started.send)
        self._lock.acquire()
        self._lock.release()
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result

    def open(self) -> None:
        self._lock.release()


@pytest.fixture
def new_gate() -> Callable[..., Gate]:
    """Makes gates."""
    return Gate


@pytest.fixture
def drain(pool: NativePool) -> Callable[[], None]:
    """Waits until all that was begun in the pool is done and posted."""

    def wait() -> None:
        while get_hub().external_waits:
            sleep(0.001)
        assert len(pool._idle) == len(pool._alive)

    return wait
