"""subprocess: the stdlib's Popen, with waits and pipes that park.

What blocks here: waitpid(2), or a loop of sleeps when there is a timeout; reads and writes of the pipes; poll(2) in
`communicate`; the read that learns whether exec(2) worked.
What we replace: `Popen._wait`; `open` in the `io` that this module sees, so that pipes are the stdlib's layers over a
raw file that parks; the selector of `communicate` (for when only this module is patched). The rest of Popen calls
`os.read`, `os.write`, `os.waitpid`, which their own patch makes cooperative.
What stays: Popen, with every argument, vfork and posix_spawn, and all texts of its exceptions.
"""

import math
from collections.abc import Callable
from os import WNOHANG as _WNOHANG
from types import ModuleType
from typing import Any

from greening._core.current import hubless
from greening._core.fairness import fairness_tick
from greening._core.waiting import yield_now
from greening._originals import monotonic, os_close
from greening.fdio.buffers import io_with
from greening.fdio.child_wait import wait_exit, wait_pidfd
from greening.fdio.fileio import open_fd
from greening.patcher.spec import Patch
from greening.patches.selectors import poll_select


def _wait_of(module: ModuleType) -> Callable[[Any, float | None], Any]:
    """`Popen._wait` for the Popen of this module."""
    # From 3.15 on the stdlib's own waits for a pidfd when there is a timeout, in `_wait_pidfd`; otherwise it holds the
    # lock while it waits, and before 3.15 it polls.
    with_timeout = module.Popen._wait if hasattr(module.Popen, "_wait_pidfd") else None

    def _wait(self: Any, timeout: float | None) -> Any:
        """Park until the child has ended; returns its returncode. `timeout`: seconds, None: no limit."""
        if timeout is not None and with_timeout is not None:
            return with_timeout(self, timeout)
        deadline = None if timeout is None or timeout == math.inf else monotonic() + timeout
        in_time = True
        fairness_tick()
        while self.returncode is None:
            # Not waited for: the lock may be a real one, and its owner a green thread that parks in waitpid.
            if not self._waitpid_lock.acquire(False):
                if not hubless():
                    yield_now()
                continue
            try:
                if self.returncode is not None:
                    break  # another task was quicker
                pid, status = self._try_wait(_WNOHANG)
                if pid == self.pid:
                    self._handle_exitstatus(status)
                    break
            finally:
                self._waitpid_lock.release()
            if not in_time:
                raise module.TimeoutExpired(self.args, timeout)
            in_time = wait_exit(self.pid, None if deadline is None else max(deadline - monotonic(), 0))
        return self.returncode

    return _wait


def _wait_pidfd_of(module: ModuleType) -> Callable[[Any, float], bool]:
    """`Popen._wait_pidfd` (3.15 and later) for the Popen of this module."""

    def _wait_pidfd(self: Any, timeout: float) -> bool:
        """Park until the child has ended. False: there are no pidfds. TimeoutExpired: after `timeout` seconds."""
        try:
            fd = module.os.pidfd_open(self.pid, 0)
        except OSError:
            return False
        try:
            if wait_pidfd(fd, timeout):
                return True
        finally:
            os_close(fd)
        raise module.TimeoutExpired(self.args, timeout)

    return _wait_pidfd


def _bind(module: ModuleType) -> Patch:
    methods: dict[str, object] = {"_wait": _wait_of(module)}
    if hasattr(module.Popen, "_wait_pidfd"):
        methods["_wait_pidfd"] = _wait_pidfd_of(module)
    selector = module._PopenSelector
    if selector is module.selectors.PollSelector:
        selector = type("PollSelector", (selector,), {"select": poll_select, "__module__": "selectors"})
    return PATCH._replace(
        replaces={"io": io_with(open=open_fd), "_PopenSelector": selector}, methods={"Popen": methods}, bind=None
    )


PATCH = Patch(target="subprocess", flag="subprocess", replaces={}, bind=_bind)
