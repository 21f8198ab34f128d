"""`eventlet.pools`: a limited number of things that many green threads share, made when they are first needed.

A free item, and the right to make one more, are handed to the first waiter together with its wake-up. A waiter that is
killed in between passes on what it was given. So an item is always in exactly one place.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from greening._core.critical import guard, uninterruptible
from greening._core.fairness import fairness_tick
from greening._core.parking_lot import ParkingLot
from greening._core.waiting import yield_now

__all__ = ["Pool", "TokenPool"]

T = TypeVar("T")

# What a waiter is given instead of an item: the right to make one.
_PLACE: Final = object()


class Pool(Generic[T]):
    """Lends out items, and makes at most `max_size` of them.

        connections = Pool(max_size=10, create=connect)
        with connections.item() as connection:
            connection.send(b"hello")

    Say how an item is made with `create`, or override the method of that name.

    Args:
        min_size: items made at once.
        max_size: items that exist at once, at most.
        order_as_stack: True: the item that was put back last is lent first; False: each in its turn.
        create: called without arguments; returns a new item. It may wait.
    Thread-safety: complete.
    Difference from eventlet: waiters are served in order of arrival; `resize` upwards, and an item that could not be
    made, let the next waiter try, where eventlet leaves it waiting; there is no attribute `channel`.
    """

    def __init__(
        self,
        min_size: int = 0,
        max_size: int = 4,
        order_as_stack: bool = False,
        create: Callable[[], T] | None = None,
    ) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.order_as_stack = order_as_stack
        # Items that exist, lent or free, and those that are being made.
        self.current_size = 0
        # The next item to be lent is on the left.
        self.free_items: deque[T] = deque()
        self._waiters = ParkingLot()
        if create is not None:
            self.create = create  # type: ignore[method-assign]  # eventlet's way
        for _ in range(min_size):
            self.current_size += 1
            self.free_items.append(self.create())

    def create(self) -> T:
        """Make an item. Called without the pool being locked: it may wait.

        Raises:
            NotImplementedError: there was neither an argument `create`, nor is the method overridden.
        """
        raise NotImplementedError(f"{type(self).__name__}: pass create=, or override the method create")

    def discard(self, item: T) -> None:
        """Called with an item that `put` keeps no longer, since the pool was made smaller. It does nothing here.

        A subclass closes the item. eventlet has no such method.
        """

    # Lending

    def get(self) -> T:
        """Borrow an item. Park while all are lent.

        Raises:
            whatever `create` raises. The place is free again then.
        """
        fairness_tick()
        item = self._take()
        return self._make() if item is _PLACE else item

    @uninterruptible
    def _take(self) -> Any:
        """A free item, or _PLACE."""
        with guard:
            if self.free_items:
                return self.free_items.popleft()
            if self.current_size < self.max_size:
                self.current_size += 1
                return _PLACE
            task = self._waiters.enter()
        return self._waiters.wait(task, None, self._pass_on)

    def _make(self) -> T:
        try:
            return self.create()
        except BaseException:
            self.give_up_place()
            raise

    @contextmanager
    def item(self) -> Iterator[T]:
        """Borrow an item for a `with` block."""
        item = self.get()
        try:
            yield item
        finally:
            self.put(item)

    def put(self, item: T) -> None:
        """Give an item back. The first waiter gets it, and has had its turn when this returns.

        A kill or a Timeout of the caller that comes meanwhile is raised by its next wait, and not here.
        """
        kept = self._keep(item)
        if kept is None:
            self.discard(item)
        elif kept is not self:
            yield_now()

    @uninterruptible
    def _keep(self, item: T) -> object:
        """Who has the item now: this pool, a waiter, or nobody (None)."""
        with guard:
            if self.current_size > self.max_size:
                self.current_size -= 1
                return None
            waiter = self._waiters.unpark(item)
            if waiter is None:
                self._lay_down(item)
                return self
            return waiter

    def _lay_down(self, item: T) -> None:
        if self.order_as_stack:
            self.free_items.appendleft(item)
        else:
            self.free_items.append(item)

    @uninterruptible
    def give_up_place(self) -> None:
        """Say that an item that was lent does not exist any more: the first waiter may make another one.

        eventlet's subclasses subtract one from `current_size` instead, and a waiter goes on waiting.
        """
        with guard:
            if self.current_size > self.max_size or self._waiters.unpark(_PLACE) is None:
                self.current_size -= 1

    @uninterruptible
    def _pass_on(self, given: Any) -> None:
        """A waiter was interrupted after it had been given an item, or a place."""
        with guard:
            if given is _PLACE:
                self.give_up_place()
            elif self._waiters.unpark(given) is None:
                self.free_items.appendleft(given)

    # Size

    @uninterruptible
    def resize(self, new_size: int) -> None:
        """Change `max_size`.

        Larger: waiters get the new places at once. Smaller: items that are lent are dropped when they come back, until
        there are no more than `new_size`.
        """
        with guard:
            self.max_size = new_size
            while self.current_size < self.max_size and self._waiters.unpark(_PLACE) is not None:
                self.current_size += 1

    def free(self) -> int:
        """How many calls of `get` would not wait. Negative while more items are lent than there should be."""
        return len(self.free_items) + self.max_size - self.current_size

    def waiting(self) -> int:
        """Number of green threads that wait in `get`."""
        return len(self._waiters)


class Token:
    """What a TokenPool lends: nothing but an identity."""


class TokenPool(Pool[Token]):
    """Lends tokens: who holds one may use a limited resource."""

    def create(self) -> Token:
        """A new token."""
        return Token()
