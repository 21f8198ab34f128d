"""GreenPile: spawn now, collect in order later."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from greening.pool.greenpool import GreenPool
from greening.sync.event import Event


class GreenPile(Iterator[Any]):
    """A pile of green threads whose results come out in the order of spawning. It can be filled again.

    Args:
        size_or_pool: workers at once, or a GreenPool to share.
    """

    def __init__(self, size_or_pool: int | GreenPool = 1000) -> None:
        self.pool = size_or_pool if isinstance(size_or_pool, GreenPool) else GreenPool(size_or_pool)
        self._results: deque[Event] = deque()

    def spawn(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Run `function(*args, **kwargs)` in the pool; iterating reads its result. Parks while the pool is full."""
        result = Event()
        self._results.append(result)
        try:
            self.pool.spawn_n(_run, result, function, args, kwargs)
        except BaseException:
            if not result.ready():
                self._results.remove(result)
            raise

    def __iter__(self) -> "GreenPile":
        return self

    def __next__(self) -> Any:
        """The next result in order; raises what the function raised, and iteration can go on after it."""
        if not self._results:
            raise StopIteration
        result = self._results[0]
        try:
            return result.wait()
        finally:
            if result.ready() and self._results and self._results[0] is result:
                self._results.popleft()

    def next(self) -> Any:
        """`next(pile)`, by eventlet's name."""
        return self.__next__()


def _run(result: Event, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        value = function(*args, **kwargs)
    except BaseException as error:
        result.send_exception(error)
        if not isinstance(error, Exception):
            raise
    else:
        result.send(value)
