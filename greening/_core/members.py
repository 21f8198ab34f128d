"""The members of tasks, hubs and registrations: in Python, or in C where the accelerator is there, which reads them
without asking. What is done with them stands in task.py, greenthread.py, hub.py and registry.py.
"""

from collections import deque
from typing import TYPE_CHECKING, Any

from greening._compiled import accelerator

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Context
    from weakref import ref

    from greening._core.carrier import Carrier
    from greening._core.hub import Hub
    from greening._core.parking_lot import ParkingLot
    from greening._core.task import Task
    from greening._core.timers import Timer

if TYPE_CHECKING or accelerator is None:

    class TaskMembers:
        """See `Task`."""

        __slots__ = (
            "__weakref__",
            "_ident",
            "_locals",
            "_name",
            "context",
            "deadline",
            "error",
            "generation",
            "hub",
            "resume",
            "state",
            "thread_object",
            "timer",
            "value",
        )

        context: "Context | None"
        deadline: float | None
        error: BaseException | None
        generation: int
        hub: "Hub"
        resume: "Callable[..., Any] | None"
        state: int
        thread_object: Any
        timer: "Timer | None"
        value: Any
        _ident: int
        _locals: dict[Any, Any] | None
        _name: str

    class ThreadMembers(TaskMembers):
        """See `GreenThread`."""

        __slots__ = ("_args", "_failure", "_func", "_kwargs", "_links", "_quiet", "_result", "_start_timer", "_waiters")

        _args: tuple[Any, ...]
        _failure: BaseException | None
        _func: "Callable[..., Any] | None"
        _kwargs: dict[str, Any]
        _links: list[Any] | None
        _quiet: bool
        _result: Any
        _start_timer: "Timer | None"
        _waiters: "ParkingLot | None"

    class HubMembers:
        """See `Hub`. `ready` is there from the start, and always the same."""

        carrier_refs: Any
        carriers: "set[Carrier]"
        idle: "list[Carrier]"
        main: "Task"
        ready: "deque[Task]"

        def __new__(cls, *args: object, **kwargs: object) -> "HubMembers":
            self = object.__new__(cls)
            self.ready = deque()
            return self

    class RegistrationMembers:
        """See `Registration`."""

        __slots__ = (
            *("doubted", "drained", "edge", "fd", "owner", "read_news", "readers", "stream", "write_news", "writers"),
        )

        doubted: bool
        drained: bool
        edge: bool
        fd: int
        owner: "ref[Any] | None"
        read_news: bool
        readers: "ParkingLot | None"
        stream: bool
        write_news: bool
        writers: "ParkingLot | None"

else:
    TaskMembers = accelerator.TaskMembers
    ThreadMembers = accelerator.ThreadMembers
    HubMembers = accelerator.HubMembers
    RegistrationMembers = accelerator.RegistrationMembers
