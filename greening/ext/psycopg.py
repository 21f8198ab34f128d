"""psycopg 3 and its pool: waits in the hub, and nothing lost when they are interrupted.

Facts:
- `psycopg[binary]` and `psycopg[c]` wait by a function in C, which blocks the OS thread. All calls reach it by
  `psycopg.waiting.wait`, and another function may stand there, also for the implementation in Python.
- psycopg wakes up every 0.1 seconds for each connection that waits, to look for Ctrl-C and for a closed descriptor.
  The hub sees the first, and is told of the second.
- It knows Ctrl-C as the only thing that interrupts a wait: it cancels the query, and gives the server 5 seconds for
  that. After a kill or a Timeout the connection would stay in the middle of its query, of no use and never closed.
- A request to cancel may overtake the query that it is for. The server then knows of nothing to cancel.
- psycopg_pool cleans up in `except Exception`. A waiter that is killed or times out is given a connection all the same,
  which is nobody's then.
Decisions: an interrupted query is cancelled like one by Ctrl-C, again and again for `PATIENCE` seconds; then the
connection is closed. The pool takes every interruption for an error, and hands back under a shield.
"""

import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from types import ModuleType
from typing import Any

from greening._core.current import current
from greening._core.poller import IN, OUT
from greening._core.shield import shield
from greening._core.waiting import forget_fd, wait_fd
from greening.ext.classes import patch_methods
from greening.monkey import patch_module
from greening.patcher.spec import Patch
from greening.threads.native import execute
from greening.timeout import Timeout

# Seconds in which a query that was interrupted must have ended; a kill, or a Timeout, takes as long at most.
PATIENCE = 1.0
_AGAIN = 0.1  # seconds after which the request is repeated
_COPY_OUT, _COPY_IN = 3, 4  # psycopg.pq.ExecStatus

_logger = logging.getLogger("greening.ext.psycopg")


def install_waits(module: ModuleType) -> None:
    """The plug-in of `psycopg.waiting`."""
    patch_module(Patch(target=module.__name__, flag="psycopg", replaces={"wait": _green_wait(module)}), module)


def _green_wait(waiting: Any) -> Callable[..., Any]:
    errors = waiting.e
    ready_of = {mask: _ready_of(waiting, mask) for mask in (IN, OUT, IN | OUT)}
    mask_of = {waiting.WAIT_R: IN, waiting.WAIT_W: OUT, waiting.WAIT_RW: IN | OUT}
    # Before 3.3 a wait for notifications has no other way to stop than the interval.
    by_interval = "timeout" not in inspect.signature(waiting.wait_selector).parameters

    def wait(gen: Any, fileno: int, interval: float | None = 0.0, timeout: float | None = None, **_: Any) -> Any:
        """Run a generator of psycopg's on a connection; park where it has to wait.

        Args:
            interval: seconds; not used where `timeout` is known: nothing has to be looked at meanwhile.
            timeout: seconds for all of it; None: no limit.
        Raises:
            psycopg.errors._WaitTimeout: the time ran out. psycopg.OperationalError: the connection was closed.
        """
        deadline = None if timeout is None else current().hub.now() + timeout
        pause = interval if by_interval else None
        try:
            wish = next(gen)
            while True:
                mask = mask_of[wish]
                left = pause if deadline is None else max(0.0, deadline - current().hub.now())
                try:
                    events = wait_fd(fileno, mask, left)
                except OSError as error:
                    raise errors.OperationalError("connection closed by another green thread meanwhile") from error
                # Nothing: it looks again, and says what it waits for.
                answer = gen.send(ready_of[mask][events & mask] if events else waiting.READY_NONE)
                if events:
                    wish = answer
                if deadline is not None and current().hub.now() >= deadline:
                    raise errors._WaitTimeout("wait timeout expired")
        except StopIteration as end:
            return end.value

    return wait


def _ready_of(waiting: Any, mask: int) -> dict[int, Any]:
    """Events of a wait for `mask` -> psycopg's word for them. A connection that is broken is ready for everything."""
    names = {IN: waiting.READY_R, OUT: waiting.READY_W, IN | OUT: waiting.READY_RW}
    return {**{events: names[events] for events in names if events & ~mask == 0}, 0: names[mask]}


def install_cancel(module: ModuleType) -> None:
    """The plug-in of `psycopg.connection`."""
    base: Any = module
    wait, close = base.Connection.wait, base.Connection.close
    cancel = _canceller(base)

    @wraps(wait)
    def green_wait(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return wait(self, gen, *args, **kwargs)
        except (Exception, KeyboardInterrupt, SystemExit):  # psycopg's own
            raise
        except BaseException:
            if self.pgconn.transaction_status == base.ACTIVE:
                cancel(self, gen)
            raise

    @wraps(close)
    def green_close(self: Any) -> None:
        if not self.closed and not getattr(getattr(self, "_pool", None), "close_returns", False):
            forget_fd(self.pgconn.socket)
        close(self)

    patch_methods(module, {"Connection": {"wait": green_wait, "close": green_close}})


def _canceller(base: Any) -> Callable[[Any, Any], None]:
    """What ends a query that was interrupted, or the connection. Never raises."""
    errors = base.e
    can = getattr(getattr(base, "capabilities", None), "has_cancel_safe", bool)  # libpq 17: without blocking

    def ask(connection: Any, gen: Any) -> bool:
        """Ask the server to end the query. Returns: whether it has."""
        if can():
            connection.cancel_safe(timeout=PATIENCE)
        else:
            execute(connection.cancel)
        for step in (gen, _rest(base, connection)):
            try:
                base.waiting.wait(step, connection.pgconn.socket, timeout=_AGAIN)
            except errors.QueryCanceled:
                pass
            except errors._WaitTimeout:
                return False
        return bool(connection.pgconn.transaction_status != base.ACTIVE)

    def cancel(connection: Any, gen: Any) -> None:
        done = False
        with shield():
            try:
                if not connection.pgconn.pipeline_status:
                    with Timeout(PATIENCE, False):
                        while not done:
                            done = ask(connection, gen)
            except Exception as error:  # noqa: BLE001  # the interruption is what the caller has to hear of
                _logger.info("an interrupted query could not be cancelled: %s", error)
            if not done:
                connection.pgconn.finish()

    return cancel


def _rest(base: Any, connection: Any) -> Iterator[int]:
    """A generator for `wait`: reads what is left of a query whose first results are there already.

    Those of a stream come row by row, and COPY is a result that is followed by its data.
    """
    generators: Any = sys.modules["psycopg.generators"]
    pgconn = connection.pgconn
    while pgconn.transaction_status == base.ACTIVE:
        result = yield from generators.fetch(pgconn)
        if result is None:
            return
        if result.status == _COPY_OUT:
            while isinstance((yield from generators.copy_from(pgconn)), memoryview):
                pass
        elif result.status == _COPY_IN:
            yield from generators.copy_end(pgconn, b"interrupted")


def install_pool(module: ModuleType) -> None:
    """The plug-in of `psycopg_pool.pool`."""
    pool: Any = module
    if not hasattr(pool, "CLIENT_EXCEPTIONS"):
        raise AttributeError("psycopg_pool is older than 3.2.7, and loses connections of waiters that are interrupted")
    wait, put = pool.WaitingClient.wait, pool.ConnectionPool.putconn

    @wraps(wait)
    def green_wait(self: Any, timeout: float) -> Any:
        try:
            return wait(self, timeout)
        except BaseException as error:
            if self.error is None:  # it came before, or after, the wait itself: nobody may choose this one any more
                with shield(), self._cond:
                    self.error = self.error or error
            raise

    @wraps(put)
    def green_put(self: Any, conn: Any) -> None:
        # What takes longer than this is closed: the pool takes the Timeout for an error of the connection.
        with shield(), Timeout(PATIENCE, False):
            put(self, conn)

    patch = Patch(
        target=pool.__name__,
        flag="psycopg",
        replaces={"CLIENT_EXCEPTIONS": BaseException},
        methods={"WaitingClient": {"wait": green_wait}, "ConnectionPool": {"putconn": green_put}},
    )
    patch_module(patch, module)
