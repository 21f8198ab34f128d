"""The supervisor of `python -m greening.wsgi`: forks workers that share the listening sockets, and sees to it that
there are as many as asked for, and that each of them lives.

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
from collections.abc import Callable, Iterable
from time import monotonic
from typing import NamedTuple

from greening.wsgi.command.backoff import Backoff
from greening.wsgi.command.channel import CHANGED, FAILED, LEAVING, QUIT, READY, REOPEN, RETIRE, STOP, Child, pair
from greening.wsgi.command.config import Settings
from greening.wsgi.command.console import say
from greening.wsgi.command.deadlines import MARGIN, abort, enforce, name
from greening.wsgi.command.pulse import Pulse
from greening.wsgi.command.roster import Roster
from greening.wsgi.command.signals import Signals, signal_name
from greening.wsgi.command.systemd import Notifier

# Seconds.
_AT_ONCE = 1.0  # for children to end in, after the second signal
_LATE = 1.0  # of the supervisor itself: the machine, or the container, was stopped

_LONGEST_POLL = 2**31 - 1  # milliseconds, see poll(2)


class Born(NamedTuple):
    """What a new process has: its channel. `template`: it is to fork workers (`preload`)."""

    channel: socket.socket
    template: bool


class Supervisor:
    """Keeps workers alive.

    Args:
        settings: of the command.
        listeners: closed when the first signal comes.
        context: of TLS, for the first generation; None: none. make_context: makes that of a later one; raises OSError
            for a file that is no good.
        started: called when the first worker is ready.
        notifier: told how the service is. reopen_logs: called at SIGUSR1, before workers are told.
    Attributes:
        beat: seconds between two signs of life of a worker; 0: it gives none.
        context: of TLS, for the present generation.
    """

    def __init__(
        self,
        settings: Settings,
        listeners: list[socket.socket],
        context: ssl.SSLContext | None,
        make_context: Callable[[], ssl.SSLContext | None],
        started: Callable[[], object],
        notifier: Notifier,
        reopen_logs: Callable[[], object],
    ) -> None:
        self.context = context
        self._settings = settings
        self._listeners = listeners
        self._make_context = make_context
        self._started = started
        self._notifier = notifier
        self._reopen_logs = reopen_logs
        self._pulse = Pulse(settings.timeout, settings.start_timeout, notifier)
        self.beat = self._pulse.beat
        self._roster = Roster(settings.workers)
        self._ever = False  # a worker of any generation has been ready
        self._backoff = Backoff()
        self._ending = 0  # signals to end so far
        self._status = 0

    def run(self) -> Born | int:
        """Until a signal ends it.

        Returns:
            In the supervisor: the exit status, when the last worker has gone. In each new process: what it has.
        """
        signals = Signals()
        try:
            while self._roster or not self._ending:
                born = self._fill(signals)
                if born is not None:
                    return born
                self._wait(signals)
                self._bury()
                self._enforce()
        finally:
            signals.close()
        return self._status

    # Births

    def _fill(self, signals: Signals) -> Born | None:
        """Fork what is missing. In a new process: what it has."""
        while self._missing() and monotonic() >= self._backoff.not_before:
            self._backoff.forks()
            generation = self._roster.wanted()
            template = self._roster.template(generation)
            ours, theirs = pair()
            with theirs:
                if template is not None:
                    self._order(template, ours, theirs)
                    continue
                with signals.blocked():
                    born = self._fork(signals, ours, theirs)
            if born is not None:
                return born
        return None

    def _missing(self) -> bool:
        """A process is to be forked now, or when the back-off is over."""
        return not self._ending and self._roster.wanted() > 0

    def _order(self, template: Child, ours: socket.socket, theirs: socket.socket) -> None:
        """Have the template fork a worker."""
        if template.order(theirs):
            self._roster.add(Child(0, ours, template.generation))
        else:
            ours.close()
            self._backoff.died_early()

    def _fork(self, signals: Signals, ours: socket.socket, theirs: socket.socket) -> Born | None:
        """Fork a worker, or a template. In it: what it has."""
        template = self._settings.preload
        try:
            pid = os.fork()
        except OSError as error:
            ours.close()
            say(f"cannot start a worker: {error.strerror}")
            self._backoff.died_early()
            return None
        if pid:
            self._roster.add(Child(pid, ours, self._roster.generation, template))
            return None
        ours.close()
        signals.forget()
        for child in self._roster:
            child.channel.close()
        return Born(theirs.dup(), template)

    # What happens

    def _wait(self, signals: Signals) -> None:
        """Until something happens or is due; then do what signals and workers say."""
        poll = select.poll()
        poll.register(signals, select.POLLIN)
        by_fd = {child.channel.fileno(): child for child in self._roster if child.channel.fileno() >= 0}
        for fd in by_fd:
            poll.register(fd, select.POLLIN)
        due = [child.deadline for child in self._roster if child.deadline is not None]
        due += self._pulse.due(self._roster.watched())
        if self._missing():
            due.append(self._backoff.not_before)
        milliseconds = None if not due else max(0, int((min(due) - monotonic()) * 1000) + 1)
        happened = poll.poll(milliseconds and min(milliseconds, _LONGEST_POLL))
        if due and monotonic() - min(due) > _LATE:
            self._pulse.slept(self._roster.watched())
        for fd, _ in happened:
            if fd == signals.fileno():
                self._signalled(signals.read())
            else:
                self._listen_to(by_fd[fd])

    def _signalled(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._end()
            elif number == signal.SIGQUIT:  # the quick end, as gunicorn and nginx have it
                self._end()
                self._end()
            elif self._ending:
                pass
            elif number == signal.SIGHUP:
                say("reloading")
                self._reload()
            elif number in (signal.SIGTTIN, signal.SIGTTOU):
                self._resize(1 if number == signal.SIGTTIN else -1)
            elif number == signal.SIGUSR1:
                self._reopen_logs()
                for child in self._roster:  # those that load or drain, too: they have the old files open as well
                    child.tell(REOPEN)
            elif number == signal.SIGUSR2:
                say("SIGUSR2 does nothing: for an upgrade without a gap, let systemd hold the sockets, and restart")

    def _resize(self, change: int) -> None:
        self._roster.count = max(1, self._roster.count + change)
        say(f"{self._roster.count} worker{'s' if self._roster.count > 1 else ''} from now on")
        self._dismiss_surplus()

    def _listen_to(self, child: Child) -> None:
        said = child.heard()
        if READY in said:
            child.ready = True
            if not child.template:
                self._is_ready(child)
        if FAILED in said:
            self._has_failed(child)
        if LEAVING in said and child.ready:
            self._leaves(child)
        if RETIRE in said:
            child.retiring = True
        # Workers of one generation all see the change; the first to say so is the one that counts. Those of an older
        # one matter only while there is none of the present one.
        counts = child.generation == self._roster.generation or not self._roster.present()
        if CHANGED in said and counts and not self._ending:
            self._reload()
        if not child.pid and child.channel.fileno() < 0:  # it was never forked
            self._roster.remove(child)
            if child.deadline is None:
                self._backoff.died_early()
        elif child.channel.fileno() < 0 and child.deadline is None:
            self._hung_up(child)

    def _has_failed(self, child: Child) -> None:
        """It cannot load the application. With `--reload` it waits for a change; else it ends, or is made to."""
        child.failed = True
        current = child.generation == self._roster.generation
        if self._settings.reload:
            if current:
                self._keep_old()
        elif not child.leaving:
            child.leaving = child.settled = True
            child.deadline = monotonic() + MARGIN
            if not self._ending:
                self._lost(child)

    def _leaves(self, child: Child) -> None:
        """It serves no more, though nobody told it to. It may take its time to end; its successor does not wait."""
        if not child.leaving:
            child.leaving = True
            child.deadline = monotonic() + self._settings.graceful_timeout + MARGIN
            self._backoff.served()

    def _hung_up(self, child: Child) -> None:
        """It is about to be dead, as a rule. If not, it does not listen any more."""
        if child.ready:
            self._leaves(child)
        else:
            child.deadline = monotonic() + MARGIN

    def _is_ready(self, child: Child) -> None:
        roster = self._roster
        if child.generation != roster.generation or self._ending:
            return
        if not roster.proven:
            self._notifier.ready(f"{self._settings.app} is served; generation {roster.generation} of the workers")
            if self._ever:
                say("reloaded")
            else:
                self._started()
            for template in roster.templates():
                if template.generation != roster.generation:
                    self._dismiss(template)
        roster.proven = self._ever = True
        self._backoff.is_ready()
        self._dismiss_surplus()

    def _dismiss_surplus(self) -> None:
        for child in self._roster.surplus():
            self._dismiss(child)

    def _reload(self) -> None:
        self._notifier.reloading()
        try:
            self.context = self._make_context()
        except OSError as error:
            say(f"not reloaded, everything stays as it is: {error}")
            self._notifier.ready("not reloaded")
            return
        self._roster.generation += 1
        self._roster.proven = False
        self._backoff.begin_anew()
        for child in [*self._roster.previous(), *self._roster.templates()]:
            if not child.ready:
                self._dismiss(child)

    def _keep_old(self) -> None:
        """The new generation is no good: what there is of the old one belongs to it from now on."""
        if self._roster.keep_previous():
            say("not reloaded: the old workers go on")
            self._notifier.ready("not reloaded: the old workers go on")

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
            for child in self._roster:
                if not child.pid:
                    self._listen_to(child)  # it may be this one
            found = next((child for child in self._roster if child.pid == pid), None)
            if found is not None:
                last_words = found.heard()
                found.ready = found.ready or READY in last_words
                found.failed = found.failed or FAILED in last_words
                self._roster.remove(found)
                found.channel.close()
                if not found.settled and not self._ending:
                    self._died(found, os.waitstatus_to_exitcode(status))

    def _died(self, child: Child, code: int) -> None:
        if not child.failed:  # else it has said why
            how = f"ended with status {code}" if code >= 0 else f"was killed by {signal_name(-code)}"
            say(f"{name(child)} {how}" + ("" if child.ready else " before it could serve anything"))
        self._lost(child)

    def _lost(self, child: Child) -> None:
        """A child that was not told to end serves nothing any more. What to do about it."""
        roster = self._roster
        if not self._ever and (child.failed or self._backoff.is_hopeless):
            say("no worker could be started; giving up")
            self._status = 1
            self._end()
        elif not roster.proven and child.generation == roster.generation and any(w.ready for w in roster.previous()):
            self._keep_old()
        elif not child.ready:
            self._backoff.died_early()
        else:
            self._backoff.served()

    # The end

    def _end(self) -> None:
        """The first time: finish what is in flight. From the second time on: at once."""
        self._ending += 1
        if self._ending == 1:
            if any(child.ready for child in self._roster):
                say("finishing what is in flight; another signal ends it at once")
            self._notifier.stopping()
            for listener in self._listeners:
                listener.close()
            for child in self._roster:
                if child.deadline is None:
                    self._dismiss(child)
        else:
            deadline = monotonic() + _AT_ONCE
            for child in self._roster:
                child.tell(QUIT)
                child.deadline = min(child.deadline or deadline, deadline)

    def _dismiss(self, child: Child) -> None:
        child.tell(STOP)
        child.leaving = child.settled = True
        child.deadline = monotonic() + self._settings.graceful_timeout + MARGIN
        if not child.ready and not child.failed:
            child.kill(signal.SIGTERM)  # it loads the application, and does not listen yet

    def _enforce(self) -> None:
        """Do what is due."""
        for child in self._pulse.stuck(self._roster.watched()):
            if child.pid:
                self._is_stuck(child)
            else:
                self._was_never_forked(child)
        enforce(self._roster, self._ending > 1)
        self._pulse.tell_watchdog(self._roster)

    def _is_stuck(self, child: Child) -> None:
        settings = self._settings
        if child.ready:
            say(f"{name(child)} has been stuck for {settings.timeout:g} s; its stack follows")
        else:
            say(f"{name(child)} has not loaded the application within {settings.start_timeout:g} s; its stack follows")
        child.leaving = child.settled = True
        abort(child)
        if not child.ready:
            self._lost(child)

    def _was_never_forked(self, child: Child) -> None:
        """The template was told to fork it, and does not do so: it is stuck."""
        self._roster.remove(child)
        child.channel.close()
        self._backoff.died_early()
        template = self._roster.template(child.generation)
        if template is not None:
            say(f"{name(template)} forks no worker; its stack follows")
            template.leaving = template.settled = True
            abort(template)
