"""Limits on others' behalf: so many at once for each key, so many in a second."""

from collections.abc import Hashable
from types import TracebackType

from greening._core.critical import uninterruptible
from greening._core.current import get_hub
from greening._core.shield import shield
from greening._core.timers import deadline_after
from greening._core.waiting import sleep
from greening.sync.lock import Lock
from greening.sync.semaphore import BoundedSemaphore


class _Permits(BoundedSemaphore):
    """The semaphore of one key. `users`: how many hold a permit, or wait for one."""

    __slots__ = ("users",)

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.users = 0


@uninterruptible
class KeyedSemaphore:
    """A semaphore for each key: no more than `value` at once for a host, a customer, a file.

        hosts = greening.KeyedSemaphore(4)

        def fetch(url):
            with hosts(urlsplit(url).hostname):
                ...

    A key costs memory only while somebody holds a permit of it, or waits for one.

    Args:
        value: permits of each key.
    Raises:
        ValueError: it is less than 1. TypeError: it is no integer.
    Thread-safety: complete, as that of `Semaphore`; waiters for one key are served in order of arrival.
    """

    def __init__(self, value: int = 1) -> None:
        if not isinstance(value, int):
            raise TypeError(f"the value of a semaphore must be an integer, not {value!r}")
        if value < 1:
            raise ValueError(f"a key needs at least one permit, not {value!r}")
        self.value = value
        self._permits: dict[Hashable, _Permits] = {}
        self._changes = Lock()  # held while a key comes or goes, and never during a wait for a permit

    def __call__(self, key: Hashable) -> "_Held":
        """A context manager that holds a permit of `key` during its block."""
        return _Held(self, key)

    def acquire(self, key: Hashable, blocking: bool = True, timeout: float | None = None) -> bool:
        """Take a permit of `key`; park while there is none.

        Args, Returns, Raises: as `Semaphore.acquire`. TypeError: `key` cannot be hashed.
        """
        with self._changes:
            if (permits := self._permits.get(key)) is None:
                permits = self._permits[key] = _Permits(self.value)
            permits.users += 1
        got = False
        try:
            got = permits.acquire(blocking, timeout)
        finally:
            if not got:
                self._leave(key, permits)
        return got

    def release(self, key: Hashable) -> None:
        """Give a permit of `key` back.

        Raises:
            ValueError: every permit of it is back already.
        """
        permits = self._permits.get(key)
        if permits is None:
            raise ValueError(f"{key!r} was released more often than acquired")
        permits.release()
        self._leave(key, permits)

    def _leave(self, key: Hashable, permits: _Permits) -> None:
        with shield(late=True), self._changes:  # another OS thread may have the lock
            permits.users -= 1
            if not permits.users:
                del self._permits[key]

    def locked(self, key: Hashable) -> bool:
        """True when there is no permit of `key` left."""
        permits = self._permits.get(key)
        return permits is not None and permits.locked()

    def __len__(self) -> int:
        """Number of keys of which somebody holds a permit, or waits for one."""
        return len(self._permits)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<KeyedSemaphore at {id(self):#x} value={self.value} keys={len(self)}>"


class _Held:
    """One permit of one key, during a block."""

    __slots__ = ("_key", "_owner")

    def __init__(self, owner: KeyedSemaphore, key: Hashable) -> None:
        self._owner = owner
        self._key = key

    def __enter__(self) -> None:
        self._owner.acquire(self._key)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner.release(self._key)


class RateLimiter:
    """Lets through no more than `rate` in `per` seconds, evenly spaced; others wait, in order of arrival.

        limiter = greening.RateLimiter(10)          # ten a second
        for url in urls:
            with limiter:
                pool.spawn(fetch, url)

    A waiter that is interrupted uses nothing up.

    Args:
        rate: how many in `per` seconds.
        per: seconds.
        burst: how many may go at once after a pause.
    Raises:
        ValueError: one of them is not above 0. TypeError: one is no number, or `burst` no integer.
    Thread-safety: complete.
    """

    def __init__(self, rate: float, per: float = 1.0, burst: int = 1) -> None:
        for name, value, kind in (("rate", rate, (int, float)), ("per", per, (int, float)), ("burst", burst, int)):
            if not isinstance(value, kind):
                raise TypeError(f"{name} must be a number{', a whole one' * (kind is int)}, not {value!r}")
            if not value > 0:
                raise ValueError(f"{name} must be above 0, not {value!r}")
        self.rate, self.per, self.burst = rate, per, burst
        self._interval = per / rate
        self._tolerance = self._interval * (burst - 1)
        self._due: float | None = None  # when the next one would be due at an even pace, by the hub's clock
        self._turn = Lock()  # whoever has it waits for the time; the others wait for it

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Park until the next one may go.

        Args:
            blocking: False: answer at once.
            timeout: seconds from now; None: no limit.
        Returns:
            True when it may go; False: it could not in time, and has used nothing up.
        Raises:
            TypeError, ValueError: `timeout` is no number of seconds, or is negative.
        """
        now = get_hub().now()
        deadline = None if timeout is None else deadline_after(now, timeout)
        if not (self._turn.acquire(blocking) if timeout is None else self._turn.acquire(blocking, timeout)):
            return False
        try:
            now = get_hub().now()
            due = now if self._due is None else max(now, self._due)
            start = due - self._tolerance
            if start > now:
                if not blocking or (deadline is not None and start > deadline):
                    return False
                sleep(start - now)
            self._due = due + self._interval
            return True
        finally:
            self._turn.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __repr__(self) -> str:
        return f"<RateLimiter at {id(self):#x} rate={self.rate} per={self.per} burst={self.burst}>"
