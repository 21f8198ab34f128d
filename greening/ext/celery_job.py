"""One task of Celery in the pool of green threads: how it runs, and how time limits and `revoke` end it.

Facts: Celery's consumer hands a task to the pool as a function and four callbacks. A pool tells `accept_callback` that
the task begins and under which number; then it tells exactly one of the others how it ended. A task that was revoked is
an exception: Celery announces its end itself, before it asks the pool to terminate it.
Decision: what ends a task from outside is an exception that is thrown into its green thread, and only while the task's
own code runs: never into the callbacks, which acknowledge the message and write down the result.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any

from billiard.einfo import ExceptionInfo
from celery.exceptions import SoftTimeLimitExceeded, WorkerLostError, WorkerShutdown, WorkerTerminate
from celery.worker import state
from greenlet import GreenletExit

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn_after, throw_into
from greening._core.task import Task
from greening.timeout import Timeout

# How Celery is told: see `greening.ext.celery_calls`.
Tell = Callable[..., None]


class HardTimeLimit(GreenletExit):
    """Thrown into a task whose hard time limit has passed. It is no Exception: tasks are not meant to catch it."""


class Job:
    """A task that was given to the pool. Celery keeps a weak reference to it, and may call `terminate`.

    Attributes:
        number: what Celery knows it by; it stands where other pools have the number of a process.
    """

    __slots__ = (
        "__weakref__",
        "_accepted",
        "_args",
        "_failed",
        "_inside",
        "_kwargs",
        "_limits",
        "_over_time",
        "_succeeded",
        "_target",
        "_told",
        "_thread",
        "number",
    )

    def __init__(
        self,
        number: int,
        target: Callable[..., Any],
        args: Any,
        kwargs: Any,
        callback: Callable[..., Any],
        error_callback: Callable[..., Any] | None,
        accept_callback: Callable[[int, float], Any] | None,
        timeout_callback: Callable[[bool, float], Any] | None,
        soft_timeout: float | None,
        timeout: float | None,
    ) -> None:
        self.number = number
        self._target, self._args, self._kwargs = target, args, kwargs or {}
        self._accepted, self._succeeded, self._failed = accept_callback, callback, error_callback
        self._over_time = timeout_callback
        self._limits = (soft_timeout, timeout)
        self._thread: Task | None = None
        self._inside = False  # the task's own code runs
        self._told = False  # Celery knows how it ended

    def run(self, tell: Tell) -> None:
        """Run it in this green thread, and have Celery told how it ended.

        Args:
            tell: called with a function of Celery's and its arguments.
        """
        self._thread = current()
        if self._accepted is not None:
            tell(self._accepted, self.number, monotonic())
            if self._told:  # it was revoked while it waited: Celery says so when it hears that it was accepted
                return
        alarms = self._set_alarms(tell)
        self._inside = True
        try:
            try:
                result = self._target(*self._args, **self._kwargs)
            finally:
                self._inside = False
                self._thread = None
                for alarm in alarms:
                    alarm.cancel()
        except (WorkerShutdown, WorkerTerminate) as error:
            _stop_worker(error)
            tell(self._tell_failure, ExceptionInfo())
        except BaseException as error:  # noqa: BLE001  # SystemExit, a Timeout, a kill: the pool's thread goes on
            tell(self._tell_failure, _failure(error))
        else:
            tell(self._tell_success, result)

    def _tell_success(self, result: Any) -> None:
        if not self._told:  # a task may catch what was to end it
            self._succeeded(result)

    def _tell_failure(self, info: ExceptionInfo) -> None:
        if not self._told and self._failed is not None:
            self._failed(info)

    # Time limits

    def _set_alarms(self, tell: Tell) -> list[GreenThread[None]]:
        soft, hard = self._limits
        alarms = []
        if soft:
            alarms.append(spawn_after(soft, self._soft_limit, soft, tell))
        if hard:
            alarms.append(spawn_after(hard, self._hard_limit, hard, tell))
        return alarms

    def _soft_limit(self, seconds: float, tell: Tell) -> None:
        if self._over_time is not None:
            tell(self._over_time, True, seconds)
        self._throw(SoftTimeLimitExceeded(seconds))

    def _hard_limit(self, seconds: float, tell: Tell) -> None:
        """The task gets no more time. What it does in its `finally` does not delay that Celery is told."""
        if self._told:
            return
        self.end(HardTimeLimit(seconds))
        if self._over_time is not None:
            tell(self._over_time, False, seconds)

    # From outside

    @property
    def delivery_tag(self) -> Any:
        """What the broker knows its message by; None: it was made by something other than Celery's consumer."""
        message = getattr(getattr(self._succeeded, "__self__", None), "message", None)
        return getattr(message, "delivery_tag", None)

    def end(self, error: GreenletExit) -> None:
        """End it. The caller tells Celery. It may run on for as long as its `finally` takes.

        Args:
            error: what is raised in the task.
        """
        self._told = True
        self._throw(error)

    def terminate(self, signal: int) -> None:
        """Called by Celery after `TaskPool.terminate_job`; and for a task that waits yet, which then does not begin."""
        if self._thread is None:
            self._told = True

    def _throw(self, error: BaseException) -> None:
        if self._inside and self._thread is not None:
            throw_into(self._thread, error)


def _failure(error: BaseException) -> ExceptionInfo:
    """What Celery stores of an error that is being handled. Clients make it anew: a Timeout would start with them."""
    if isinstance(error, (Exception, SystemExit, KeyboardInterrupt)):
        return ExceptionInfo()
    try:
        if isinstance(error, Timeout):
            raise TimeoutError(f"the task was ended by a Timeout of {error}") from error
        raise WorkerLostError(f"the green thread of the task was ended by {error!r}") from error
    except Exception:  # noqa: BLE001  # the one above
        return ExceptionInfo()


def _stop_worker(error: SystemExit) -> None:
    """A task, or a receiver of one of its signals, has raised the exception that stops a worker."""
    code = error.code if isinstance(error.code, int) else 0
    if isinstance(error, WorkerTerminate):
        state.should_terminate = code
    else:
        state.should_stop = code
