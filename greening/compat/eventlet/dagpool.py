"""`eventlet.dagpool`: green threads that wait for the results of others, whose names ("keys") they depend on.

A table has the values that are known. One event stands for the next change of the table: whoever lacks a value waits
for it, and looks again.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from greening._core.greenthread import GreenThread, getcurrent, spawn
from greening.errors import GreenletExit
from greening.sync.event import Event

_MISSING: Final[Any] = object()

Pairs = Iterator[tuple[Any, Any]]


class Collision(Exception):
    """A key was spawned or posted a second time, or posted while its green thread runs. The message is the key."""


class PropagateError(Exception):
    """The value of a key whose green thread has failed. Asking for the value raises it.

    A green thread that depends on such a key, and does not catch this, has a PropagateError as its own value: follow
    `exc` from one to the next to the cause.

    Args:
        key: the key that has failed.
        exc: what its green thread raised.
    """

    def __init__(self, key: Hashable, exc: BaseException) -> None:
        super().__init__(key, exc)  # both: an exception is pickled as its class and `args`
        self.key = key
        self.exc = exc
        self.msg = f"PropagateError({key}): {type(exc).__name__}: {exc}"

    def __str__(self) -> str:
        return self.msg


def _value_of(value: Any) -> Any:
    if isinstance(value, PropagateError):
        raise value
    return value


@dataclass(frozen=True)
class _Running:
    thread: GreenThread[Any]
    # Keys that it still waits for. The iterator that the function was given removes them.
    pending: set[Any]


class DAGPool:
    """Runs functions that depend on each other's results, each as soon as it can go on.

        pool = DAGPool({"source": 20})
        pool.spawn("double", ["source"], lambda key, results: 2 * dict(results)["source"])
        pool["double"]  # 40

    There is no limit of how many run at once: a limit and a dependency may wait for each other for ever.

    Args:
        preload: a mapping, or pairs, of keys and their values, known from the start.
    Thread-safety: none between OS threads, as with eventlet.
    Difference from eventlet: a green thread that is killed otherwise than by `kill(key)`, or raises GreenletExit, has
    failed: its key has a PropagateError, and what depends on it ends. eventlet leaves these waiting for ever.
    """

    def __init__(self, preload: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = ()) -> None:
        self.values: dict[Any, Any] = dict(preload)
        self._running: dict[Any, _Running] = {}
        self._changed = Event()

    # Waiting for values

    def waitall(self) -> dict[Any, Any]:
        """`wait()`, by the name that it has in GreenPool."""
        return self.wait()

    def wait(self, keys: Iterable[Any] = _MISSING) -> dict[Any, Any]:
        """Park until all of `keys` have values. Without `keys`: all that are known by now, with a value or without.

        Raises:
            PropagateError: one of them has failed.
        """
        return dict(self.wait_each(keys))

    def wait_each(self, keys: Iterable[Any] = _MISSING) -> Pairs:
        """Iterate over (key, value) of `keys`, each as soon as it is known. Parks before the next one.

        Args:
            keys: as for `wait`. They are taken when this is called, not when it is first iterated.
        Raises:
            PropagateError: in the place of a key that has failed.
        """
        return self._pairs(self._keys_to_wait_for(keys))

    def wait_each_success(self, keys: Iterable[Any] = _MISSING) -> Pairs:
        """As `wait_each`, without the keys that have failed. It ends when all of `keys` have ended."""
        pairs = self._raw_pairs(self._keys_to_wait_for(keys))
        return ((key, value) for key, value in pairs if not isinstance(value, PropagateError))

    def wait_each_exception(self, keys: Iterable[Any] = _MISSING) -> Pairs:
        """As `wait_each`, but only the keys that have failed, with their PropagateErrors, which are not raised."""
        pairs = self._raw_pairs(self._keys_to_wait_for(keys))
        return ((key, value) for key, value in pairs if isinstance(value, PropagateError))

    def __getitem__(self, key: Any) -> Any:
        """Park until `key` has a value.

        Raises:
            PropagateError: it has failed.
        """
        return self.wait((key,))[key]

    def _keys_to_wait_for(self, keys: Iterable[Any]) -> set[Any]:
        return {*self._running, *self.values} if keys is _MISSING else set(keys)

    def _pairs(self, pending: set[Any]) -> Pairs:
        return ((key, _value_of(value)) for key, value in self._raw_pairs(pending))

    def _raw_pairs(self, pending: set[Any]) -> Pairs:
        """Each of `pending` with its value, taken out of `pending` as it is handed over."""
        while pending:
            # `list`: the consumer runs between two of them, and more values may come.
            for key in [key for key in pending if key in self.values]:
                pending.discard(key)
                yield key, self.values[key]
            # The event that stands now: no value can come between the look and the wait.
            if pending and self.values.keys().isdisjoint(pending):
                self._changed.wait()

    # Filling the table

    def spawn(
        self, key: Hashable, depends: Iterable[Any], function: Callable[..., Any], *args: Any, **kwds: Any
    ) -> None:
        """Run `function(key, results, *args, **kwds)` in a green thread; what it returns is the value of `key`.

        Args:
            key: the name of the result.
            depends: the keys whose values `function` needs. `results` iterates over (key, value) of these, each as soon
                as it is known, and waits for the next.
        Raises:
            Collision: `key` runs, or has a value.
        """
        if key in self._running or key in self.values:
            raise Collision(key)
        pending = set(depends)
        thread = spawn(self._run, function, key, self._pairs(pending), *args, **kwds)
        self._running[key] = _Running(thread, pending)
        thread.link(self._forget, key)

    def spawn_many(
        self, depends: Mapping[Any, Iterable[Any]], function: Callable[..., Any], *args: Any, **kwds: Any
    ) -> None:
        """`spawn` for every key of `depends`, whose value is what it depends on.

        Raises:
            Collision: a key runs, or has a value. Those before it have been spawned.
        """
        for key, keys in depends.items():
            self.spawn(key, keys, function, *args, **kwds)

    def _run(self, function: Callable[..., Any], key: Hashable, results: Pairs, /, *args: Any, **kwds: Any) -> Any:
        value: Any
        try:
            value = function(key, results, *args, **kwds)
        except Exception as error:  # noqa: BLE001  # it is kept for those who ask for the value
            value = PropagateError(key, error)
        if self._runs_here(key):
            del self._running[key]
            if key not in self.values:  # otherwise the function has posted a value itself, and that one counts
                self.post(key, value)
        return value

    def _runs_here(self, key: Hashable) -> bool:
        running = self._running.get(key)
        return running is not None and running.thread is getcurrent()

    def _forget(self, thread: GreenThread[Any], key: Hashable) -> None:
        """The end of a green thread. It is listed still if it did not come to the end of `_run`: it was killed."""
        running = self._running.get(key)
        if running is not None and running.thread is thread:
            del self._running[key]
            if key not in self.values:
                self.post(key, PropagateError(key, _error_of(thread)))

    def kill(self, key: Hashable) -> None:
        """End the green thread of `key`. The key has no value then, and may be posted or spawned again.

        Raises:
            KeyError: no green thread of this key runs.
        """
        # Not listed any more when it ends: it is not a failure of the key.
        self._running.pop(key).thread.kill()

    def post(self, key: Hashable, value: Any, replace: bool = False) -> None:
        """Say what the value of `key` is, and wake those who wait for it. Never switches.

        A green thread may post for its own key; what it returns does not count then. A PropagateError as value is
        raised in those who ask.

        Args:
            replace: True: the value may take the place of an earlier one.
        Raises:
            Collision: a green thread of that key runs, and it is not the caller; or there is a value.
        """
        if (key in self._running and not self._runs_here(key)) or (key in self.values and not replace):
            raise Collision(key)
        self.values[key] = value
        changed, self._changed = self._changed, Event()
        changed.send()

    # What is known, without waiting

    def get(self, key: Hashable, default: Any = None) -> Any:
        """The value of `key`, or `default`.

        Raises:
            PropagateError: it has failed.
        """
        return _value_of(self.values.get(key, default))

    def keys(self) -> tuple[Any, ...]:
        """Keys that have values."""
        return tuple(self.values)

    def items(self) -> tuple[tuple[Any, Any], ...]:
        """(key, value) of the keys that have values.

        Raises:
            PropagateError: one of them has failed.
        """
        return tuple((key, _value_of(value)) for key, value in self.values.items())

    def running(self) -> int:
        """Number of green threads that have not ended."""
        return len(self._running)

    def running_keys(self) -> tuple[Any, ...]:
        """Keys whose green threads have not ended."""
        return tuple(self._running)

    def waiting(self) -> int:
        """Number of green threads that wait for values of others."""
        return len(self.waiting_for())

    def waiting_for(self, key: Hashable = _MISSING) -> Any:
        """What is waited for: helps to find out why a pool does not go on.

        Returns:
            With `key`: the set of keys that its green thread waits for; empty when it has ended. Without: a dict of all
            that wait, each with such a set.
        Raises:
            KeyError: nothing is known of `key`.
        """
        if key is not _MISSING:
            if key in self._running:
                return self._lacking(key)
            self.values[key]  # KeyError
            return set()
        return {key: lacking for key in self._running if (lacking := self._lacking(key))}

    def _lacking(self, key: Hashable) -> set[Any]:
        return self._running[key].pending - self.values.keys()


def _error_of(thread: GreenThread[Any]) -> BaseException:
    """What has ended a green thread that did not come to its own end."""
    try:
        thread.wait()
    except BaseException as error:  # noqa: BLE001  # the answer
        return error
    return GreenletExit("it was killed, and returned a value that nobody asked for")
