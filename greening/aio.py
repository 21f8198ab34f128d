"""The bridge between green threads and coroutines, both ways.

    greening.aio.run(coroutine)              from a green thread: run it, park until it is done
    greening.aio.wait(awaitable)             the same for any awaitable of the shared loop
    await greening.aio.green(func, *args)    from a coroutine: run blocking code in a green thread
    await thread                             the same for a green thread that runs already

Coroutines that come over the bridge run on one shared loop per OS thread, in a green thread of its own that starts with
the first of them. A killed green thread cancels the task that it waits for; a cancelled coroutine kills the green
thread that it waits for. Nothing needs to be patched.
"""

import asyncio
import atexit
import selectors
from collections.abc import Awaitable, Callable, Generator
from inspect import isawaitable
from types import FunctionType, MethodType
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from greening._core.current import get_hub
from greening._core.fork import APPLICATIONS, on_child
from greening._core.greenthread import GreenThread, spawn
from greening._originals import real_local
from greening.errors import GreenletExit
from greening.interop.guest import GUESTS, arrive, depart
from greening.patches.asyncio import install
from greening.patches.selectors import PATCH as SELECTORS
from greening.sync.event import Event
from greening.timeout import Timeout

T = TypeVar("T")

_thread = real_local()


def _methods() -> dict[str, dict[str, Any]]:
    assert SELECTORS.bind is not None
    found: Any = SELECTORS.bind(selectors).methods
    return dict(found)


_GREEN = _methods()
# Loops whose selector is known to wait cooperatively.
_cooperative: "WeakSet[asyncio.AbstractEventLoop]" = WeakSet()


class GreenSelector(selectors.DefaultSelector):
    """The system's best selector, cooperative whether or not `selectors` has been patched. For loops of your own:

    `asyncio.SelectorEventLoop(greening.aio.GreenSelector())`.
    """


for _name, _value in _GREEN[selectors.DefaultSelector.__name__].items():
    setattr(GreenSelector, _name, _value)


class _Call(Generic[T]):
    """A coroutine on the shared loop, and the green thread that waits for it."""

    def __init__(self, awaitable: Awaitable[T]) -> None:
        self.awaitable = awaitable
        self.done = Event()
        self.task: asyncio.Task[T] | None = None
        self.begun = self.given_up = False
        # What must not get into the task, which would raise it again in the loop and end that for all tasks.
        self.fatal: BaseException | None = None

    async def body(self) -> T:
        self.begun = True
        try:
            return await self.awaitable
        except (KeyboardInterrupt, SystemExit) as error:
            if self.given_up:
                raise
            self.fatal = error
            raise asyncio.CancelledError from error

    def outcome(self) -> T:
        if self.fatal is not None:
            raise self.fatal
        assert self.task is not None
        return self.task.result()


class _Shared:
    """An OS thread's shared loop, and the green thread that runs it. It ends with the OS thread: see thread_exit."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(GreenSelector()))
        self.loop = self.runner.get_loop()
        self.calls: set[_Call[Any]] = set()
        # Not a method of ours: the green thread is not to keep us alive.
        self.thread = spawn(_serve, self.runner, self.loop, self.calls)
        self.thread.name = "greening.aio loop"

    def begin(self, call: _Call[Any]) -> None:
        """In the loop."""
        call.task = self.loop.create_task(call.body())
        call.task.add_done_callback(lambda _task: self.end(call))

    def end(self, call: _Call[Any]) -> None:
        self.calls.discard(call)
        if not call.begun:
            _discard(call.awaitable)
        call.done.send(True)

    def give_up(self, call: _Call[Any]) -> None:
        """Cancel the task. An error that it ends with all the same is reported by asyncio: it is never asked for."""
        call.given_up = True
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._cancel, call)

    def _cancel(self, call: _Call[Any]) -> None:
        if call.task is not None:  # it is None no more: the loop keeps the order
            call.task.cancel()


def _serve(runner: asyncio.Runner, loop: asyncio.AbstractEventLoop, calls: set[_Call[Any]]) -> None:
    """Run the loop until it is stopped or this green thread is killed; then cancel what is left, and close it."""
    try:
        with runner:
            while True:
                try:
                    loop.run_forever()
                    break
                except (KeyboardInterrupt, SystemExit) as error:
                    # A task that is not waited for has raised it. It is for the main greenlet; the other tasks go on.
                    get_hub().raise_in_main(error)
    finally:
        for call in tuple(calls):  # one that came when the loop was about to end has not begun
            if not call.begun:
                _discard(call.awaitable)
            call.done.send(exc=asyncio.CancelledError())


def _discard(awaitable: Awaitable[Any]) -> None:
    """It will not be awaited, and Python need not complain of that."""
    if asyncio.iscoroutine(awaitable):
        awaitable.close()


def _shared() -> _Shared:
    shared: _Shared | None = getattr(_thread, "shared", None)
    if shared is None or shared.thread.dead or shared.loop.is_closed():
        install(__name__)
        shared = _thread.shared = _Shared()
    return shared


def get_loop() -> asyncio.AbstractEventLoop:
    """The shared loop of this OS thread; it runs. Made and started on first use, and again after it was stopped."""
    return _shared().loop


def run(coroutine: Awaitable[T], timeout: float | None = None) -> T:
    """Run a coroutine on the shared loop and park until it is done. From a green thread or the main greenlet.

    It runs in a copy of the caller's context.

    Args:
        timeout: seconds from now; None: no limit. When it runs out the coroutine is cancelled.
    Returns:
        What it returned.
    Raises:
        What it raised; TimeoutError: the time ran out; asyncio.CancelledError: it was cancelled, or the loop stopped;
        RuntimeError: called from a coroutine, which has `await` for that. TypeError: it is no coroutine.
        When the wait itself is ended (a kill, a Timeout) the coroutine is cancelled, and not waited for.
    Thread-safety: each OS thread has a loop of its own.
    """
    return wait(coroutine, timeout)


def wait(awaitable: Awaitable[T], timeout: float | None = None) -> T:
    """Like `run`, for any awaitable: a coroutine, a future or task of the shared loop, an object with `__await__`."""
    if asyncio._get_running_loop() is not None:
        _discard(awaitable)
        raise RuntimeError("this is a coroutine: use `await` here, not greening.aio.wait() or run()")
    if not isawaitable(awaitable):
        remedy = f": call it: greening.aio.run({awaitable.__name__}())" if isinstance(awaitable, FunctionType) else ""
        raise TypeError(f"a coroutine is needed, not {awaitable!r}{remedy}")
    shared = _shared()
    call = _Call(awaitable)
    shared.calls.add(call)
    shared.loop.call_soon_threadsafe(shared.begin, call)
    try:
        with Timeout(timeout, False):
            call.done.wait()
            while not call.done.ready():  # a `switch` to the task has ended the wait
                call.done.wait()
    except BaseException:
        shared.give_up(call)
        raise
    if not call.done.ready():
        shared.give_up(call)
        raise TimeoutError(f"the coroutine has not ended within {timeout} seconds")
    return call.outcome()


async def green(func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run blocking code in a green thread, from a coroutine of any loop in this OS thread, and await its result.

    The green thread gets a copy of the coroutine's context. When the coroutine is cancelled the green thread is killed;
    an error that it ends with then is reported. A loop whose selector has not been patched becomes cooperative here; in
    a loop that waits in C (uvloop's), green threads run as long as a coroutine awaits one.

    Raises:
        What `func` raised (for StopIteration, which no coroutine can raise, RuntimeError);
        asyncio.CancelledError: it was killed from elsewhere;
        RuntimeError: the loop waits in C, and another one that does is suspended in this OS thread.
    """
    return await _outcome(lambda: spawn(func, *args, **kwargs))


async def _outcome(make: Callable[[], GreenThread[T]]) -> T:
    """The outcome of the green thread that `make` gives, awaited in the running loop."""
    loop = asyncio.get_running_loop()
    guest = None
    if not _cooperates(loop):
        guest = arrive(loop)
        if guest is None:
            raise RuntimeError(
                "no green thread can run beside this loop, which waits in C inside another one that does"
            )
    try:
        future: asyncio.Future[T] = loop.create_future()
        thread = make()
        thread.quiet = True  # the coroutine hears of its error
        thread.link(_tell, loop, future)
        try:
            return await future
        except asyncio.CancelledError:
            thread.quiet = False
            thread.kill()
            raise
    finally:
        if guest is not None:
            depart(guest)


def _await(thread: GreenThread[T]) -> Generator[Any, None, T]:
    """`await thread`, from a coroutine: its outcome, as with `green`."""
    return _outcome(lambda: thread).__await__()


GreenThread.__await__ = _await  # type: ignore[attr-defined]  # a green thread can be awaited once asyncio is in play


def _tell(thread: GreenThread[T], loop: asyncio.AbstractEventLoop, future: "asyncio.Future[T]") -> None:
    def settle() -> None:
        if future.done():
            return
        try:
            result = thread.wait()
        except GreenletExit:
            future.cancel()
        except StopIteration as error:
            converted = RuntimeError(f"{thread.name} raised StopIteration")
            converted.__cause__ = error
            future.set_exception(converted)
        except BaseException as error:  # noqa: BLE001  # handed to the coroutine
            future.set_exception(error)
        else:
            future.set_result(result)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _cooperates(loop: asyncio.AbstractEventLoop) -> bool:
    """Have the loop's selector let green threads run, in the object itself: the process need not be patched.

    False: it has none.
    """
    install(__name__)
    if loop in GUESTS:
        return False
    if loop in _cooperative:
        return True
    selector = getattr(loop, "_selector", None)
    if selector is None:
        return False
    for kind in type(selector).__mro__:
        if kind.__module__ == selectors.__name__ and kind.__name__ in _GREEN:
            for name, value in _GREEN[kind.__name__].items():
                if getattr(type(selector), name, None) is not getattr(kind, name, None):
                    continue  # a subclass's own
                if isinstance(value, staticmethod):
                    setattr(selector, name, value.__func__)
                elif isinstance(value, FunctionType):
                    setattr(selector, name, MethodType(value, selector))
            break
    _cooperative.add(loop)
    return True


def _close() -> None:
    """At exit: stop this thread's loop and wait until it is closed. Tasks that are left are cancelled."""
    shared: _Shared | None = getattr(_thread, "shared", None)
    if shared is not None and not shared.thread.dead:
        shared.loop.call_soon_threadsafe(shared.loop.stop)
        shared.thread.wait()


def _forget() -> None:
    """In a forked child the loop's green thread does not exist. The object is kept, so that nothing of it is torn down
    here.
    """
    if hasattr(_thread, "shared"):
        _abandoned.append(_thread.shared)
        del _thread.shared


_abandoned: list[_Shared] = []

atexit.register(_close)
on_child(APPLICATIONS, _forget)
