"""gRPC, client and server: calls wait in the hub, handlers run in green threads.

Facts:
- gRPC's core waits in C for the events of a queue: a client for each blocking unary call, in the thread that calls, and
  in one thread of each channel for everything else; a server in one thread, which hands requests to its executor. These
  threads are made by `threading.Thread`: patched, they would be green, and hold everything up inside C.
- An executor starts its threads where `submit` is called. Called by a server's native thread, it would start them in a
  hub that never runs.
- A channel's thread ends with the last call that is under way, so calls one after the other each start one.
- The rest of gRPC waits by conditions of the patched `threading`, which native threads may notify.
Decisions: threads that wait in C are native. A unary call is made as `future` makes it, and waits for its condition. A
call whose wait is interrupted, by a kill or a Timeout, is cancelled, for the server, too. The threads of channels come
from a pool, where they stay for some seconds. A server's native thread only takes events out of the queue; what becomes
of them is done by a green thread of the OS thread that started the server, so its executor's threads are green, and as
many as its `max_workers` cost next to nothing. Iterators of requests are run by green threads, too; callbacks of
futures and of `subscribe` in native ones, as ever. A callback that makes a call waits in C, as ever: it is in the
thread that handles the events of its channel.
"""

import threading
import time
from collections.abc import Callable
from operator import attrgetter
from types import ModuleType
from typing import Any

from greening._core.current import get_hub
from greening._originals import real_local
from greening.ext.classes import patch_methods
from greening.monkey import original, patch_module
from greening.patcher.spec import Patch
from greening.sync.queue import LightQueue
from greening.threads.native import NativePool

_FLAG = "thread"
# Functions that gRPC runs in threads of their own, and that wait for nothing but conditions.
_GREEN = ("consume_request_iterator",)
# What the object of a call consists of.
_PARTS = attrgetter("_state", "_call")

# The threads that wait in C, one for each channel with calls under way. They take no more than memory while they wait.
_pool = NativePool(1_000_000)
_pool.reports = True
_here = real_local()


class _PooledThread:
    """What gRPC uses of `threading.Thread`: one that runs in an OS thread, if need be in one that has been idle."""

    daemon = True

    def __init__(self, target: Callable[..., object], args: tuple[Any, ...] = ()) -> None:
        self._target, self._args = target, args

    def setDaemon(self, daemonic: bool) -> None:  # threading's name
        """It is one."""

    def start(self) -> None:
        """Run it. Raises RuntimeError: the system has no more threads."""
        if not _pool.launch(get_hub(), self._run):
            raise RuntimeError("can't start new thread")

    def _run(self) -> None:
        _here.handles_events = True
        self._target(*self._args)


def _handles_events() -> bool:
    """True in a thread of gRPC's: a callback of the program's runs. Events are not handled before it returns."""
    return getattr(_here, "handles_events", False)


def _with_native_threads() -> ModuleType:
    """The patched `threading`, with another `Thread`."""
    native = original("threading").Thread

    def Thread(target: Callable[..., object], args: tuple[Any, ...] = (), **options: Any) -> Any:  # threading's name
        """What `ForkManagedThread` runs is pooled. `grpc.aio` makes one with options, for good, and joins it."""
        return native(target=target, args=args, **options) if options else _PooledThread(target, args)

    mixed = ModuleType("threading", "The patched module, with threads of the system: what runs in them waits in C.")
    vars(mixed).update({name: value for name, value in vars(threading).items() if not name.startswith("__")})
    vars(mixed)["Thread"] = Thread
    return mixed


def install_core(module: ModuleType) -> None:
    """The plug-in of grpc._cython.cygrpc: its threads are native, but for those that run the program's iterators."""
    core: Any = module
    native_thread = core.ForkManagedThread

    def ForkManagedThread(target: Callable[..., object], args: tuple[Any, ...] = ()) -> Any:  # gRPC's name
        """A thread, to be started: green if it runs the program's own code, else one that a fork takes care of."""
        green = target.__name__ in _GREEN and not _handles_events()
        return (_GreenThread if green else native_thread)(target=target, args=args)

    replaces = {"threading": _with_native_threads(), "ForkManagedThread": ForkManagedThread}
    patch_module(Patch(target=module.__name__, flag=_FLAG, replaces=replaces), module)


class _GreenThread(threading.Thread):
    """One with the method that `Thread` no longer has in 3.15, and that gRPC calls."""

    def setDaemon(self, daemonic: bool) -> None:  # threading's name
        """See `threading.Thread.daemon`."""
        self.daemon = daemonic


def install_common(module: ModuleType) -> None:
    """The plug-in of grpc._common: waits without looking up every tenth of a second. Signals reach the hub anyway."""

    def wait(
        wait_fn: Callable[..., object],
        wait_complete_fn: Callable[[], bool],
        timeout: float | None = None,
        spin_cb: Callable[[], None] | None = None,
    ) -> bool:
        """Wait until `wait_complete_fn()`. Returns True if `timeout`, in seconds, is over before."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not wait_complete_fn():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left < 0:
                return True
            wait_fn(timeout=left)
            if spin_cb is not None:
                spin_cb()
        return False

    patch_module(Patch(target=module.__name__, flag=_FLAG, replaces={"wait": wait}), module)


def install_client(module: ModuleType) -> None:
    """The plug-in of grpc._channel: calls that wait for one answer, and streams that are read one event at a time."""
    channel: Any = module
    finish = channel._end_unary_response_blocking

    def blocking(kind: Any) -> dict[str, Any]:
        call_in_c, with_call_in_c = kind.__call__, kind.with_call

        def call(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            """Make the call and wait for its response. Raises `grpc.RpcError`. Interrupted, it is cancelled."""
            if _handles_events():
                return call_in_c(self, request, *args, **kwargs)
            return finish(*_complete(self.future(request, *args, **kwargs)), False, None)

        def with_call(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
            """As calling it; returns the response and the `grpc.Call`."""
            if _handles_events():
                return with_call_in_c(self, request, *args, **kwargs)
            return finish(*_complete(self.future(request, *args, **kwargs)), True, None)

        return {"__call__": call, "with_call": with_call}

    make_stream = channel.Channel.unary_stream

    def unary_stream(self: Any, *args: Any, **kwargs: Any) -> Any:
        """As gRPC's. The option for streams that are read in the calling thread, in C, has no effect."""
        self._single_threaded_unary_stream = False
        return make_stream(self, *args, **kwargs)

    methods = {
        "_UnaryUnaryMultiCallable": blocking(channel._UnaryUnaryMultiCallable),
        "_StreamUnaryMultiCallable": blocking(channel._StreamUnaryMultiCallable),
        "Channel": {"unary_stream": unary_stream},
    }
    patch_methods(module, methods)


def _complete(call: Any) -> tuple[Any, Any]:
    """Wait for the end of a call that is under way; its state, and what is under it."""
    state, under_it = _PARTS(call)
    try:
        with state.condition:
            while state.code is None or state.due:
                state.condition.wait()
    except BaseException:
        call.cancel()
        raise
    return state, under_it


def install_server(module: ModuleType) -> None:
    """The plug-in of grpc._server: a native thread waits for events, a green one does what they ask for."""
    server: Any = module
    native_thread = original("threading").Thread
    timed_out = server.cygrpc.CompletionType.queue_timeout

    def _serve(state: Any) -> None:
        """Serve until the server has shut down. gRPC has a thread of its own for this, which is a green one here."""
        events: LightQueue[Any] = LightQueue()
        serving = [True]

        def poll() -> None:
            while serving:
                event = state.completion_queue.poll(time.time() + server._DEALLOCATED_SERVER_CHECK_PERIOD_S)
                if event.completion_type != timed_out or state.server_deallocated:
                    events.put(event)
                del event  # it may refer to a call, without whose end the queue does not shut down

        native_thread(target=poll, name="gRPC server", daemon=True).start()
        try:
            going = True
            while going:
                event = events.get()
                if state.server_deallocated:
                    server._begin_shutdown_once(state)
                going = event.completion_type == timed_out or server._process_event_and_continue(state, event)
                del event
        finally:
            serving.clear()

    patch_module(Patch(target=module.__name__, flag=_FLAG, replaces={"_serve": _serve}), module)
