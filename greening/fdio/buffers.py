"""The stdlib's buffered files, for several green threads at once.

Facts (CPython, Modules/_io/bufferedio.c): a Buffered object holds a real lock while it calls its raw file. Another OS
thread that comes meanwhile waits for the lock. The lock knows its owner by the OS thread, so that another green thread
of that thread gets RuntimeError ("reentrant call") before anything has happened to the object.
Decision: our classes take this error as "wait in line". A file has a line only while a caller has to wait. All other
calls pay two looks at an attribute.

Laws of the line:
- Calls are served in order of arrival.
- `close` waits beside the line, until a moment comes at which nothing is under way and nothing waits. A thread that
  reads line after line thus comes to the end of the file first, as on real threads, where a `close` hardly ever gets
  the lock in the instant between two calls.
- A call that meets itself gets CPython's RuntimeError. Such is a signal handler that prints while its thread prints.
"""

import io
import sys
from _io import BufferedReader as _BufferedReader
from _io import BufferedRWPair as _BufferedRWPair
from _io import BufferedWriter as _BufferedWriter
from collections.abc import Callable
from functools import wraps
from types import CodeType, FrameType, ModuleType
from typing import Any

from greening._builtin_method import name_after
from greening._core.critical import guard
from greening._core.parking_lot import ParkingLot


class Line:
    """The callers that wait while a green thread is inside a file.

    A call that ends chooses the first of them, and takes the line away when nothing waits. Thread-safe.
    """

    __slots__ = ("_callers", "_closers", "_file")

    def __init__(self, file: Any) -> None:
        self._file = file
        self._callers = ParkingLot()
        self._closers = ParkingLot()

    def wait(self, closing: bool) -> None:
        """Park until it is the caller's turn, or return at once if the file has another line by now, or none.

        Args:
            closing: True: wait until nothing else waits. Calls that come meanwhile are not held up.
        """
        lot = self._closers if closing else self._callers
        with guard:
            if self._file._line is not self:
                return
            task = lot.enter()
        lot.wait(task, None, None if closing else self.call_ended)

    def call_ended(self, value: object = None) -> None:
        """Pass the turn on. `value`: what an interrupted caller had been woken with; not used."""
        with guard:
            if self._file._line is self and self._callers.unpark() is None:
                self._file._line = None
                self._closers.unpark_all()


def _says_taken(error: BaseException) -> bool:
    """True for the error of a Buffered object itself; a raw file that is written in Python leaves a longer trace."""
    trace = error.__traceback__
    mine = isinstance(error, RuntimeError) and trace is not None and trace.tb_next is None
    return mine and str(error).startswith("reentrant call")


def _is_inside(file: Any, frame: FrameType | None) -> bool:
    """True if a call of this file is under way in the running green thread, in `frame` or below it."""
    while frame is not None:
        if frame.f_code in _CALLS and frame.f_locals["file"] is file:
            return True
        frame = frame.f_back
    return False


def _in_line(file: Any, closing: bool, method: Callable[..., Any], *args: Any) -> Any:
    """Call `method(file, *args)` when its turn has come. The file has a line, or has just said that it is taken."""
    if sys.is_finalizing() or _is_inside(file, sys._getframe(1).f_back):
        return method(file, *args)  # nothing else will run, or it meets itself: the error is right
    line: Line | None = file._line
    while True:
        if line is not None:
            line.wait(closing)
        line = file._line
        if line is None:
            # The line comes first, then another try: a call that ends in between sees the line.
            line = file._line = Line(file)
        try:
            result = method(file, *args)
        except BaseException as error:
            if not _says_taken(error):
                line.call_ended()
                raise
        else:
            line.call_ended()
            return result


def _ended(file: Any) -> None:
    line: Line | None = file._line
    if line is not None:
        line.call_ended()


# The code of all methods that enter a line, for `_is_inside`.
_CALLS: set[CodeType] = set()


def _named(call: Any, method: Callable[..., Any]) -> Any:
    _CALLS.add(call.__code__)
    return wraps(method)(call)


def _in_turn(method: Callable[..., Any], closing: bool = False) -> Any:
    """Make a method of a Buffered class wait in line; `closing`: beside it."""

    def call(file: Any, *args: Any) -> Any:
        if file._line is None:
            try:
                result = method(file, *args)
            except BaseException as error:
                if not _says_taken(error):
                    _ended(file)
                    raise
            else:
                if file._line is not None:
                    _ended(file)
                return result
        return _in_line(file, closing, method, *args)

    return _named(call, method)


def _fast(method: Callable[..., Any], *default: object) -> Any:
    """Do the same for a method that takes one argument, with `default` if it has one. Loops call these methods."""

    def call(file: Any, argument: Any, /) -> Any:
        if file._line is None:
            try:
                result = method(file, argument)
            except BaseException as error:
                if not _says_taken(error):
                    _ended(file)
                    raise
            else:
                if file._line is not None:
                    _ended(file)
                return result
        return _in_line(file, False, method, argument)

    call.__defaults__ = default
    return _named(call, method)


def _shown(text: str, real: type) -> str:
    """Return the `repr` of the C class: for a class made in Python it lacks the name of the module."""
    return f"<{real.__module__}.{text[1:]}" if text.startswith(f"<{real.__name__} ") else text


class GreenReader(_BufferedReader):
    """`io.BufferedReader` that several green threads may use at once, in turn.

    Differences from the stdlib: a call that comes while another green thread is inside the file waits for its turn, and
    does not fail with RuntimeError. `close` waits until nothing is under way.
    """

    _line: Line | None = None

    def __repr__(self) -> str:
        return _shown(super().__repr__(), _BufferedReader)

    read = _fast(_BufferedReader.read, -1)
    read1 = _fast(_BufferedReader.read1, -1)
    readinto = _fast(_BufferedReader.readinto)
    readinto1 = _fast(_BufferedReader.readinto1)
    readline = _fast(_BufferedReader.readline, -1)
    peek = _in_turn(_BufferedReader.peek)
    seek = _in_turn(_BufferedReader.seek)
    truncate = _in_turn(_BufferedReader.truncate)
    close = _in_turn(_BufferedReader.close, closing=True)


class GreenWriter(_BufferedWriter):
    """`io.BufferedWriter` that several green threads may use at once, in turn. Differences: as of GreenReader."""

    _line: Line | None = None

    def __repr__(self) -> str:
        return _shown(super().__repr__(), _BufferedWriter)

    write = _fast(_BufferedWriter.write)
    flush = _in_turn(_BufferedWriter.flush)
    seek = _in_turn(_BufferedWriter.seek)
    truncate = _in_turn(_BufferedWriter.truncate)
    close = _in_turn(_BufferedWriter.close, closing=True)


class GreenRWPair(_BufferedRWPair):
    """`io.BufferedRWPair` of a GreenReader and a GreenWriter.

    Unlike the stdlib's, `readline` is one call of the reader: the lines of several threads stay whole.
    """

    def __init__(self, reader: Any, writer: Any, buffer_size: int = io.DEFAULT_BUFFER_SIZE, /) -> None:
        # The base has buffers of its own, written in C. They stay empty, and it answers by them what needs no data.
        super().__init__(reader, writer, 1)
        self._reader = GreenReader(reader, buffer_size)
        self._writer = GreenWriter(writer, buffer_size)

    def read(self, size: int | None = -1, /) -> bytes:
        """See `io.BufferedReader.read`."""
        return self._reader.read(size)  # type: ignore[no-any-return]  # as all below: what a turn was waited for

    def read1(self, size: int = -1, /) -> bytes:
        """See `io.BufferedReader.read1`."""
        return self._reader.read1(size)  # type: ignore[no-any-return]  # see read

    def readinto(self, buffer: Any, /) -> int:
        """See `io.BufferedReader.readinto`."""
        return self._reader.readinto(buffer)  # type: ignore[no-any-return]  # see read

    def readinto1(self, buffer: Any, /) -> int:
        """See `io.BufferedReader.readinto1`."""
        return self._reader.readinto1(buffer)  # type: ignore[no-any-return]  # see read

    def readline(self, size: int | None = -1, /) -> bytes:
        """See `io.BufferedReader.readline`."""
        return self._reader.readline(size)  # type: ignore[no-any-return]  # see read

    def peek(self, size: int = 0, /) -> bytes:
        """See `io.BufferedReader.peek`."""
        return self._reader.peek(size)  # type: ignore[no-any-return]  # see read

    def write(self, buffer: Any, /) -> int:
        """See `io.BufferedWriter.write`."""
        return self._writer.write(buffer)  # type: ignore[no-any-return]  # see read

    def flush(self) -> None:
        """See `io.BufferedWriter.flush`."""
        self._writer.flush()

    def close(self) -> None:
        """Flush and close the writer, then close the reader, each when nothing is under way in it."""
        try:
            self._writer.close()
        finally:
            self._reader.close()


name_after(GreenReader, _BufferedReader)
name_after(GreenWriter, _BufferedWriter)
name_after(GreenRWPair, _BufferedRWPair)


def io_with(**others: object) -> ModuleType:
    """Return what `io` is to mean inside one module of the stdlib: the same objects, except `others`."""
    module = ModuleType("io", io.__doc__)
    vars(module).update({name: value for name, value in vars(io).items() if not name.startswith("__")})
    vars(module).update(others)
    return module


def io_with_turns() -> ModuleType:
    """Return `io` for a module that puts buffers on raw files of its own which park: `socket`."""
    return io_with(BufferedReader=GreenReader, BufferedWriter=GreenWriter, BufferedRWPair=GreenRWPair)
