"""Waits for what a hub cannot see: a call in a native thread, a signal, a child. They are no deadlock."""


class ExternalWaits:
    """What a hub knows of them: how many there are. In its own OS thread only.

    Attributes:
        pending: external waits under way.
    """

    pending = 0

    def begin_external_wait(self) -> None:
        """Somebody else will post when it is over, and `end_external_wait` is called then."""
        self.pending += 1

    def end_external_wait(self) -> None:
        """It is over, or nobody waits any more."""
        self.pending -= 1

    def external_wait(self) -> "ExternalWait":
        """`with hub.external_wait():` around the park."""
        return ExternalWait(self)


class ExternalWait:
    """One external wait, from `__enter__` to `__exit__`."""

    __slots__ = ("_hub",)

    def __init__(self, hub: ExternalWaits) -> None:
        self._hub = hub

    def __enter__(self) -> None:
        self._hub.pending += 1

    def __exit__(self, *exc_info: object) -> None:
        self._hub.pending -= 1
