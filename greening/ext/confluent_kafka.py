"""confluent-kafka: consumers and producers let others run while they wait.

Facts: librdkafka works in OS threads of its own, and hands over what has come in `poll`, `consume` and `flush`, which
wait in C. The descriptor by which it could tell that something has come is not to be had from Python. A call that
waits in another OS thread would take a message that nobody gets, once its caller is interrupted.
Decision: these three ask without waiting, and sleep in between, from 1 ms to 20 ms. What `consume` had when it was
interrupted is what the next call begins with. Calls that ask the brokers once (`list_topics`, `commit`, transactions)
wait in a native thread.

The classes are C types, which take no other methods: subclasses stand in their place, also as the base of classes that
exist already. Callbacks run inside the call that asks, in C: they must not wait.
"""

from collections.abc import Callable
from functools import partial, wraps
from types import ModuleType
from typing import Any

from greening._core.current import current
from greening._core.waiting import sleep
from greening.monkey import patch_module
from greening.patcher.spec import Patch, Undo
from greening.threads.native import execute

Method = Callable[..., Any]

# Seconds between two looks.
_SHORTEST, _LONGEST = 0.001, 0.02

# What asks the brokers and waits for the answer.
_OF_CONSUMERS = "__exit__ close commit committed get_watermark_offsets list_topics offsets_for_times seek unsubscribe"
_OF_PRODUCERS = (
    "abort_transaction begin_transaction close commit_transaction init_transactions list_topics "
    "send_offsets_to_transaction"
)


def install(module: ModuleType) -> None:
    """The plug-in. `module`: confluent_kafka.cimpl, just imported, before the modules that derive from its classes."""
    parts: Any = module
    mixed = {
        parts.Consumer: _derived(parts.Consumer, _OF_CONSUMERS, _consumer_methods(parts.Consumer)),
        parts.Producer: _derived(parts.Producer, _OF_PRODUCERS, _producer_methods(parts.Producer)),
    }
    if hasattr(parts, "_AdminClientImpl"):
        mixed[parts._AdminClientImpl] = _derived(parts._AdminClientImpl, "list_topics", {})
    # The classes that are seen have room for attributes of their own.
    replaces: dict[str, object] = {
        base.__name__: type(base.__name__, (green,), _names_of(base)) for base, green in mixed.items()
    }

    def rebase(undo: Undo) -> None:
        for base, green in mixed.items():
            for early in base.__subclasses__():
                if early is not green:
                    _exchange_base(early, base, green)
                    undo.add(partial(_exchange_base, early, green, base))

    patch_module(Patch(target=module.__name__, flag="socket", replaces=replaces, after=rebase), module)


def _derived(base: Any, asking: str, members: dict[str, object]) -> Any:
    members |= {name: _in_thread(getattr(base, name)) for name in asking.split() if hasattr(base, name)}
    # Without slots it is laid out as its base, and can take the place of it.
    return type(base.__name__, (base,), {"__slots__": (), **_names_of(base), **members})


def _names_of(base: Any) -> dict[str, object]:
    return {"__module__": base.__module__, "__doc__": base.__doc__}


def _exchange_base(kind: Any, old: Any, new: Any) -> None:
    kind.__bases__ = tuple(new if base is old else base for base in kind.__bases__)


def _in_thread(method: Method) -> Method:
    @wraps(method)
    def in_thread(*args: Any, **kwargs: Any) -> Any:
        return execute(method, *args, **kwargs)

    return in_thread


class _Looks:
    """Looks at growing intervals, until `seconds` have passed. None, or less than 0: no limit."""

    def __init__(self, seconds: float | None) -> None:
        self._hub = current().hub
        self._end = None if seconds is None or seconds < 0 else self._hub.now() + seconds
        self._pause = _SHORTEST

    def again(self) -> bool:
        """Park for a moment. False: the time is up."""
        pause = self._pause
        if self._end is not None:
            pause = min(pause, self._end - self._hub.now())
            if pause <= 0:
                return False
        sleep(pause)
        self._pause = min(2 * self._pause, _LONGEST)
        return True


def _consumer_methods(base: Any) -> dict[str, object]:
    base_poll, base_consume = base.poll, base.consume

    @wraps(base_poll)
    def poll(self: Any, timeout: float | None = -1) -> Any:
        kept = self._greening_kept
        if kept:
            return kept.pop(0)
        looks = _Looks(timeout)
        while (message := base_poll(self, 0)) is None and looks.again():
            pass
        return message

    @wraps(base_consume)
    def consume(self: Any, num_messages: int = 1, timeout: float | None = -1) -> Any:
        if self._greening_kept is None:
            self._greening_kept = []
        kept: list[Any] = self._greening_kept
        looks = _Looks(0 if kept else timeout)
        if not kept:
            kept += base_consume(self, num_messages, 0)  # it checks the number, too
        while len(kept) < num_messages and looks.again():
            kept += base_consume(self, num_messages - len(kept), 0)
        messages = kept[:num_messages]
        del kept[:num_messages]
        return messages

    return {"_greening_kept": None, "poll": poll, "consume": consume}


def _producer_methods(base: Any) -> dict[str, object]:
    base_poll, base_flush = base.poll, base.flush

    @wraps(base_poll)
    def poll(self: Any, timeout: float | None = -1) -> Any:
        looks = _Looks(timeout)
        while not (served := base_poll(self, 0)) and looks.again():
            pass
        return served

    @wraps(base_flush)
    def flush(self: Any, timeout: float | None = -1) -> Any:
        looks = _Looks(timeout)
        while (left := base_flush(self, 0)) and looks.again():
            pass
        return left

    return {"poll": poll, "flush": flush}
