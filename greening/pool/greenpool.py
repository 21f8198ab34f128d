"""GreenPool: at most so many green threads at once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from greening._core.critical import guard
from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn
from greening._core.parking_lot import ParkingLot
from greening._core.uninterruptible import uninterruptible
from greening.sync.event import Event

T = TypeVar("T")


@uninterruptible
class GreenPool:
    """Runs functions in green threads, no more than `size` at a time. eventlet's interface.

    Args:
        size: workers at once. 0 is legal: `spawn` waits until `resize`.
    Raises:
        ValueError: negative. TypeError: not a number.
    """

    def __init__(self, size: int = 1000) -> None:
        self.size = _size(size)
        self.coroutines_running: set[GreenThread[Any]] = set()
        self._claimed = 0
        self._spawners = ParkingLot()
        self._idle = ParkingLot()

    def running(self) -> int:
        """Number of green threads that are at work or about to be."""
        return len(self.coroutines_running)

    def free(self) -> int:
        """Places left; negative after the pool was made smaller than what runs."""
        return self.size - self._claimed

    def waiting(self) -> int:
        """Number of green threads that wait in `spawn` for a place."""
        return len(self._spawners)

    def resize(self, new_size: int) -> None:
        """Change the size. Growing wakes spawners that wait; shrinking lets the surplus finish.

        Raises:
            ValueError: negative.
        """
        with guard:
            self.size = _size(new_size)
            while self._claimed < self.size and self._spawners.unpark() is not None:
                self._claimed += 1

    def spawn(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> GreenThread[T]:
        """Run `function(*args, **kwargs)` in a green thread; park while the pool is full.

        Called by one of the pool's own workers when the pool is full, it runs the function on the spot (waiting for a
        place
        could wait for ever), and the green thread it returns has ended.
        """
        if self._claimed >= self.size and current() in self.coroutines_running:
            return GreenThread.ended(current().hub, function(*args, **kwargs))
        self._claim()
        return self._start(function, args, kwargs)

    def spawn_n(self, function: Callable[..., object], /, *args: Any, **kwargs: Any) -> None:
        """Like `spawn`, for when the result does not matter."""
        self.spawn(function, *args, **kwargs)

    def _claim(self) -> None:
        with guard:
            if self._claimed < self.size:
                self._claimed += 1
                return
            task = self._spawners.enter()
        self._spawners.wait(task, None, self._pass_on)

    def _start(self, function: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> GreenThread[T]:
        try:
            thread = spawn(function, *args, **kwargs)
        except BaseException:
            self._release()
            raise
        self.coroutines_running.add(thread)
        thread.link(self._ended)
        return thread

    def _ended(self, thread: GreenThread[Any]) -> None:
        self.coroutines_running.discard(thread)
        self._release()
        if not self.coroutines_running and self._idle:
            self._idle.unpark_all()

    def _release(self) -> None:
        with guard:
            if self._claimed > self.size or self._spawners.unpark() is None:
                self._claimed -= 1

    def _pass_on(self, value: object) -> None:
        """A spawner was given a place, and is interrupted."""
        self._release()

    def waitall(self) -> None:
        """Park until no green thread of the pool is left.

        Raises:
            AssertionError: called by one of them: it would wait for itself.
        """
        task = current()
        if task in self.coroutines_running:
            raise AssertionError("calling waitall() from within one of the GreenPool's green threads will deadlock")
        while self.coroutines_running:
            with guard:
                if not self.coroutines_running:
                    return
                waiter = self._idle.enter()
            self._idle.wait(waiter)

    def starmap(self, function: Callable[..., T] | None, iterable: Iterable[Any]) -> "GreenMap[T]":
        """`itertools.starmap`, concurrently: results in the order of the input, no more than `size` ahead of the
        consumer.
        """
        return GreenMap(self, _tuple if function is None else function, iterable)

    def imap(self, function: Callable[..., T] | None, *iterables: Iterable[Any]) -> "GreenMap[T]":
        """`map`, concurrently. See `starmap`. `function=None` gives tuples of the arguments."""
        return self.starmap(function, zip(*iterables, strict=False))


@uninterruptible
class GreenMap(Iterator[T]):
    """Results of a `starmap`, in order. An exception surfaces at its position, and iteration can go on after it."""

    def __init__(self, pool: GreenPool, function: Callable[..., T], iterable: Iterable[Any]) -> None:
        self._pool = pool
        self._function = function
        self._input = iter(iterable)
        self._window = max(1, pool.size)
        self._results: deque[Event] = deque()
        self._gate = Event()
        self._more = Event()
        self._exhausted = False
        self._producer = spawn(self._produce)

    def _produce(self) -> None:
        while True:
            while len(self._results) >= self._window:
                self._gate.wait()
                self._gate.reset()
            result = Event()
            try:
                args = next(self._input)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001  # the input's error belongs to the consumer, at this position
                result.send_exception(error)
                self._push(result)
                break
            self._push(result)
            # The function's outcome is the consumer's, error or not: nothing is reported as unhandled.
            self._pool.spawn_n(self._run, result, args)
        self._exhausted = True
        self._wake(self._more)

    def _push(self, result: Event) -> None:
        self._results.append(result)
        self._wake(self._more)

    @staticmethod
    def _wake(event: Event) -> None:
        if not event.ready():
            event.send()

    def _run(self, result: Event, args: Any) -> None:
        try:
            value = self._function(*args)
        except BaseException as error:
            result.send_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            result.send(value)

    def __iter__(self) -> "GreenMap[T]":
        return self

    def __next__(self) -> T:
        while not self._results:
            if self._exhausted:
                raise StopIteration
            self._more.wait()
            if self._more.ready():
                self._more.reset()
        event = self._results[0]
        try:
            return event.wait()  # type: ignore[no-any-return]  # what the function returned
        finally:
            if event.ready() and self._results and self._results[0] is event:
                self._results.popleft()
                self._wake(self._gate)


def _size(size: int) -> int:
    try:
        number = int(size)
    except (TypeError, ValueError):
        raise TypeError(f"pool size must be a number, not {size!r}") from None
    if number < 0:
        raise ValueError(f"pool size must not be negative, got {size}")
    return number


def _tuple(*args: Any) -> Any:
    return args
