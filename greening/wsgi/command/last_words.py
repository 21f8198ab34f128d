"""What a worker says when requests are cut off, or when it is stuck itself.

Facts: a worker that computes without end, in C perhaps, runs no Python code of ours. faulthandler's handler of SIGABRT
is C, and writes the Python stack of the code that runs: that of the green thread which is stuck. Then the process ends.
"""

import faulthandler
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any

from greening._core.current import current
from greening._core.running import task_of
from greening.debug.waits import wait_of
from greening.net.idle import Idle
from greening.wsgi.environ import client_name
from greening.wsgi.log import escaped, escaped_line
from greening.wsgi.protocol import HttpProtocol

_MOST = 20  # requests, each with its stack; those beyond them are only counted

# Whose local variables `self` and `head` say which request it is: so that a request pays nothing for this.
_SERVE = HttpProtocol._serve.__code__


def tell_when_aborted(descriptor: int | None) -> None:
    """Write the stack of all OS threads to a descriptor when this process gets SIGABRT, SIGSEGV or the like."""
    if descriptor is not None:
        faulthandler.enable(descriptor)


def under_way(running: FrameType | None = None) -> list[str]:
    """The requests that green threads of this OS thread are at: whose they are, where they stand, what they wait for.

    Args:
        running: what a signal has interrupted, as its handler is told.
    """
    texts: list[str] = []
    left_out = 0
    for runner in current().hub.runners:
        frames = list(_outward(runner.gr_frame))
        if running in frames:  # above it is only how the handler runs
            frames = frames[frames.index(running) :]
        serving, title = next(filter(None, map(_found, frames)), (None, ""))
        if serving is None:
            continue
        if len(texts) == _MOST:
            left_out += 1
        else:
            task = task_of(runner)
            wait = "" if task is None or runner.gr_frame is running else f" ({wait_of(task)})"
            texts.append(f"{title}, stood here{wait}:\n{_stack(frames[: frames.index(serving)])}")
    return [*texts, f"and {left_out} requests more"] if left_out else texts


def _found(frame: FrameType) -> tuple[FrameType, str] | None:
    """The frame, and what it serves, if it is one that serves a request."""
    names = frame.f_code.co_varnames
    one: Any = frame.f_locals.get("self") if names and names[0] == "self" else None
    if frame.f_code is _SERVE:
        head = frame.f_locals["head"]
        return frame, f"{head.method} {escaped(head.target.decode('latin-1'))} of {client_name(one.client)}"
    # A connection that was handed over, and is served by callbacks: its `Idle` knows the request that began it.
    environ = getattr(one, "environ", None) if issubclass(type(one), Idle) else None
    return None if environ is None else (frame, _title(environ))


def _title(environ: dict[str, Any]) -> str:
    query = environ.get("QUERY_STRING")
    target = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "") + (f"?{query}" if query else "")
    address, port = environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT")
    client = client_name((address, port) if address and port else None)
    return f"{environ['REQUEST_METHOD']} {escaped(target)} of {client}"


def _stack(frames: list[FrameType]) -> str:
    """Of frames, innermost first."""
    summary = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in reversed(frames))
    lines = "".join(summary.format()).rstrip("\n").split("\n")
    return "\n".join(map(escaped_line, lines))


def _outward(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
