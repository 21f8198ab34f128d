"""The supervisor of `python -m greening.wsgi`: forks workers that share the listening sockets, and sees to it that
there are as many as asked for.

It is an ordinary process without green threads, and never loads the application: nothing of that can bring it down.

A reload makes a new generation of workers. The first worker of a generation goes ahead: when it has loaded the
application, the others follow and the old generation leaves, one for one; when it cannot, the old generation stays.
Nothing is refused in between, since the listening sockets are always the same.
"""

import os
import select
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from greening.wsgi.console import say
from greening.wsgi.worker import CHANGED, FAILED, QUIT, READY, STOP

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

# Seconds.
QUICK = 5.0  # a worker that dies younger than this makes the next one wait
_FIRST_DELAY, _LAST_DELAY = 0.1, 10.0  # of that wait; it doubles in between
_MARGIN = 2.0  # for a worker to end in, after the graceful timeout
_AT_ONCE = 1.0  # the same after the second signal

_ATTEMPTS = 5  # deaths until it gives up, when no worker has ever got ready


class _Worker:
    """One child, as the supervisor sees it. `deadline`: on the monotonic clock; set when it was told to end."""

    def __init__(self, pid: int, channel: socket.socket, generation: int) -> None:
        self.pid = pid
        self.channel = channel
        self.generation = generation
        self.born = monotonic()
        self.ready = False
        self.failed = False
        self.deadline: float | None = None

    def tell(self, what: bytes) -> None:
        """Say it, if it still listens."""
        try:
            self.channel.send(what, socket.MSG_DONTWAIT)
        except OSError:
            pass  # dead, or about to be: SIGCHLD tells; or stuck: the deadline

    def heard(self) -> bytes:
        """What it has said. Empty: nothing will follow."""
        try:
            return self.channel.recv(64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b" "
        except OSError:
            return b""


class Supervisor:
    """Keeps workers alive.

    Args:
        count: how many. graceful: seconds that a worker has for what is in flight when it is to end.
        listeners: closed when the first signal comes.
        make_context: makes the TLS context of a generation, None for none; raises OSError for a file that is no good.
        started: called when the first worker is ready.
        keep_failed: workers that failed to load the application wait for a change in it (`--reload`).
    Raises:
        OSError: as `make_context`.
    """

    def __init__(
        self,
        count: int,
        graceful: float,
        listeners: list[socket.socket],
        make_context: Callable[[], ssl.SSLContext | None],
        started: Callable[[], object],
        keep_failed: bool = False,
    ) -> None:
        self.context = make_context()
        self._count = count
        self._graceful = graceful
        self._listeners = listeners
        self._make_context = make_context
        self._started = started
        self._keep_failed = keep_failed
        self._workers: dict[int, _Worker] = {}
        self._generation = 1
        self._proven = False  # a worker of this generation has been ready
        self._ever = False  # a worker of any
        self._deaths = 0  # quick ones in a row
        self._not_before = 0.0
        self._ending = 0  # signals to end so far
        self._status = 0
        self._wakeups: tuple[int, int] | None = None
        self._handlers: dict[int, Any] = {}

    def run(self) -> socket.socket | int:
        """Until a signal ends it.

        Returns:
            In the supervisor: the exit status, when the last worker has gone. In each worker, just forked: its channel.
        """
        wakeups = self._wakeups = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._handlers = {number: signal.signal(number, _ignore) for number in _SIGNALS}
        signal.set_wakeup_fd(wakeups[1], warn_on_full_buffer=False)
        try:
            while self._workers or not self._ending:
                channel = self._fill()
                if channel is not None:
                    return channel
                self._wait(wakeups[0])
                self._bury()
                self._enforce()
        finally:
            # The handlers stay: one more signal at this moment must not change the exit status.
            self._close_wakeups()
        return self._status

    def _close_wakeups(self) -> None:
        wakeups, self._wakeups = self._wakeups, None
        if wakeups is not None:
            signal.set_wakeup_fd(-1)
            for fd in wakeups:
                os.close(fd)

    # Births

    def _fill(self) -> socket.socket | None:
        """Fork what is missing. In a new worker: its channel."""
        while self._missing() and monotonic() >= self._not_before:
            ours, theirs = socket.socketpair()
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            pid = -1
            try:
                pid = os.fork()
                if pid == 0:
                    ours.close()
                    self._forget()
                    return theirs
            except OSError as error:
                ours.close()
                say(f"cannot start a worker: {error.strerror}")
                self._died_quickly()
                continue
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                if pid:
                    theirs.close()
            self._workers[pid] = _Worker(pid, ours, self._generation)
        return None

    def _missing(self) -> bool:
        """A worker of the present generation is wanted."""
        if self._ending or any(worker.failed for worker in self._of_now()):
            return False
        return len(self._of_now()) < (self._count if self._proven else 1)

    def _forget(self) -> None:
        """In a new worker: nothing of what the supervisor had."""
        self._close_wakeups()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for number in (signal.SIGINT, signal.SIGHUP):
            # A terminal sends them to all processes; the supervisor decides. Not SIG_IGN: programs that the application
            # starts would inherit it.
            signal.signal(number, _ignore)
        for worker in self._workers.values():
            worker.channel.close()
        self._workers = {}

    def _of_now(self) -> list[_Worker]:
        return [w for w in self._workers.values() if w.generation == self._generation and w.deadline is None]

    def _of_before(self) -> list[_Worker]:
        return [w for w in self._workers.values() if w.generation != self._generation and w.deadline is None]

    # What happens

    def _wait(self, wakeup: int) -> None:
        """Until something happens or is due; then do what signals (which write to `wakeup`) and workers say."""
        poll = select.poll()
        poll.register(wakeup, select.POLLIN)
        by_fd = {w.channel.fileno(): w for w in self._workers.values() if w.channel.fileno() >= 0}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        due = [w.deadline for w in self._workers.values() if w.deadline is not None]
        if self._missing():
            due.append(self._not_before)
        milliseconds = None if not due else max(0, int((min(due) - monotonic()) * 1000) + 1)
        for fd, _ in poll.poll(milliseconds):
            if fd == wakeup:
                self._signalled(os.read(fd, 512))
            else:
                self._listen_to(by_fd[fd])

    def _signalled(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end()
            elif number == signal.SIGHUP and not self._ending:
                say("reloading")
                self._reload()

    def _listen_to(self, worker: _Worker) -> None:
        said = worker.heard()
        if not said:
            worker.channel.close()
        if READY in said:
            self._is_ready(worker)
        if FAILED in said:
            worker.failed = True
            if worker.generation == self._generation and self._keep_failed:
                self._keep_old()
        # Workers of one generation all see the change; the first to say so is the one that counts. Those of an older
        # one matter only while there is none of the present one.
        if CHANGED in said and not self._ending and (worker.generation == self._generation or not self._of_now()):
            self._reload()

    def _is_ready(self, worker: _Worker) -> None:
        worker.ready = True
        if worker.generation != self._generation or self._ending:
            return
        if not self._ever:
            self._started()
        elif not self._proven:
            say("reloaded")
        self._proven = self._ever = True
        old = self._of_before()
        surplus = len(old) + sum(w.ready for w in self._of_now()) - self._count
        for each in old[: max(surplus, 0)]:
            self._dismiss(each)

    def _reload(self) -> None:
        try:
            self.context = self._make_context()
        except OSError as error:
            say(f"not reloaded, everything stays as it is: {error}")
            return
        self._generation += 1
        self._proven = False
        self._deaths, self._not_before = 0, 0.0
        for worker in self._of_before():
            if not worker.ready:
                self._dismiss(worker)

    def _keep_old(self) -> None:
        """The new generation is no good: what there is of the old one belongs to it from now on."""
        old = [worker for worker in self._of_before() if worker.ready]
        for worker in old:
            worker.generation = self._generation
        if old:
            self._proven = True
            say("not reloaded: the old workers go on")

    # Deaths

    def _bury(self) -> None:
        """Take note of all children that are dead. The first process of a container has those of others, too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:
                self._last_words(worker)
                worker.channel.close()
                if worker.deadline is None and not self._ending:
                    self._died(worker, os.waitstatus_to_exitcode(status))

    def _last_words(self, worker: _Worker) -> None:
        if worker.channel.fileno() >= 0 and not worker.failed:
            said = worker.heard()
            worker.failed = FAILED in said
            worker.ready = worker.ready or READY in said

    def _died(self, worker: _Worker, code: int) -> None:
        age = monotonic() - worker.born
        if not worker.failed:  # else it has said why
            how = f"ended with status {code}" if code >= 0 else f"was killed by {_signal_name(-code)}"
            say(f"worker {worker.pid} {how}" + ("" if worker.ready else " before it could serve anything"))
        if not self._ever and (worker.failed or self._deaths + 1 >= _ATTEMPTS):
            say("no worker could be started; giving up")
            self._status = 1
            self._end()
        elif not self._proven and worker.generation == self._generation and any(w.ready for w in self._of_before()):
            self._keep_old()
        elif age < QUICK or not worker.ready:
            self._died_quickly()
        else:
            self._deaths = 0

    def _died_quickly(self) -> None:
        now = monotonic()
        if now >= self._not_before:  # else it died with the one that is waited for already
            self._not_before = now + min(_FIRST_DELAY * 2**self._deaths, _LAST_DELAY)
            self._deaths += 1

    # The end

    def _end(self) -> None:
        """The first time: finish what is in flight. From the second time on: at once."""
        self._ending += 1
        if self._ending == 1:
            if self._workers:
                say("finishing what is in flight; another signal ends it at once")
            for listener in self._listeners:
                listener.close()
            for worker in self._workers.values():
                if worker.deadline is None:
                    self._dismiss(worker)
        else:
            deadline = monotonic() + _AT_ONCE
            for worker in self._workers.values():
                worker.tell(QUIT)
                worker.deadline = min(worker.deadline or deadline, deadline)

    def _dismiss(self, worker: _Worker) -> None:
        worker.tell(STOP)
        worker.deadline = monotonic() + self._graceful + _MARGIN
        if not worker.ready and not worker.failed:
            _kill(worker.pid, signal.SIGTERM)  # it loads the application, and does not listen yet

    def _enforce(self) -> None:
        now = monotonic()
        for worker in self._workers.values():
            if worker.deadline is not None and worker.deadline <= now:
                say(f"worker {worker.pid} does not end; killed")
                _kill(worker.pid, signal.SIGKILL)
                worker.deadline = now + _MARGIN  # once is enough, unless it is stuck in the kernel


def _ignore(number: int, frame: object) -> None:
    """A handler that does nothing: what happens then is the wake-up descriptor's business."""


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _signal_name(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def flush_standard_streams() -> None:
    """Before a fork: what is gathered in there must not be written twice."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
