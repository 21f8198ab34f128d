"""io: `open` and `FileIO` of what comes and goes, by descriptor and by path; the standard output and error."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import greening
greening.monkey_patch()
import io, os, threading, time
"""


def test_both_ends_of_a_fifo_in_two_threads(run_program) -> None:
    run_program(
        HEAD
        + """
os.mkfifo("fifo")
got = []
def read():
    with open("fifo", encoding="ascii") as file:
        assert file.name == "fifo" and file.mode == "r" and type(file) is io.TextIOWrapper
        got.extend(file)
thread = threading.Thread(target=read)
thread.start()
time.sleep(0)
assert thread.is_alive()
with io.open("fifo", "wb", 0) as file:
    assert file.name == "fifo" and file.mode == "wb"
    file.write(b"one\\n")
    file.write(b"two\\n")
thread.join()
assert got == ["one\\n", "two\\n"], got
"""
    )


def test_reads_of_a_fifo_let_others_run(run_program) -> None:
    run_program(
        HEAD
        + """
os.mkfifo("fifo")
writer = threading.Thread(target=lambda: writing.append(open("fifo", "w")))
writing = []
writer.start()
reader = open("fifo")
writer.join()
greening.spawn_after(0.01, lambda: writing.pop().close())
assert reader.read() == ""
"""
    )


def test_the_descriptor_of_a_pipe(run_program) -> None:
    run_program(
        HEAD
        + """
r, w = os.pipe()
greening.spawn_after(0.01, lambda: open(w, "wb").close())
with open(r, "rb") as file:
    assert file.read() == b""
"""
    )


def test_otherwise_it_is_the_builtin(run_program) -> None:
    run_program(
        """
import builtins, io, pickle, pytest, tokenize
kept = [open]  # where late patching does not reach
import greening
greening.monkey_patch()
real = kept[0]
assert open is io.open is builtins.open is tokenize._builtin_open is not real
assert pickle.loads(pickle.dumps(open)) == open and open.__module__ == real.__module__
class Job:
    opener = open
greening.spawn(greening.sleep, 0)
with Job().opener("file", "x+b", 0) as file:
    assert isinstance(file, io.FileIO) and file.write(b"abc") == 3
with open("file", mode="r", encoding="ascii", opener=lambda path, flags: __import__("os").open(path, flags)) as file:
    assert file.read() == "abc"
for arguments in (("absent",), ("file", "rw"), (3.5,), ("file", "rb", 0, "ascii"), ("nul\\0",)):
    with pytest.raises(Exception) as green:
        open(*arguments)
    with pytest.raises(green.type) as wanted:
        real(*arguments)
    assert str(green.value) == str(wanted.value)
greening.unpatch()
assert open is io.open is builtins.open is tokenize._builtin_open is real
"""
    )


def test_the_warning_about_the_default_encoding_names_the_callers_line(run_program) -> None:
    done = run_program(
        """
import greening
greening.monkey_patch()
open(__file__).close()
""",
        python_args=("-X", "warn_default_encoding"),
    )
    assert "program_0.py:4: EncodingWarning" in done.stderr
    assert "patches" not in done.stderr


WAITS = """
def waits(read, feed):
    # `read()` lets others run until `feed()` has been called.
    thread = greening.spawn(read)
    greening.sleep(0)
    assert thread
    feed()
    return thread.wait(10)
"""


@pytest.mark.slow
def test_raw_files_of_descriptors_that_come_and_go(run_program) -> None:
    run_program(
        HEAD
        + WAITS
        + """
import _io, socket
assert io.FileIO is _io.FileIO
r, w = os.pipe()
with io.FileIO(r) as source, io.FileIO(w, "w") as sink:
    assert isinstance(source, io.FileIO) and isinstance(source, io.RawIOBase) and source.mode == "rb"
    assert waits(lambda: source.read(5), lambda: sink.write(b"data")) == b"data"
    full = greening.spawn(sink.write, bytes(200_000))
    greening.sleep(0)
    got = 0
    while got < 200_000:
        got += len(source.read(65536))
    assert full.wait() == 200_000
here, there = socket.socketpair()
with io.FileIO(here.detach()) as source:
    assert waits(lambda: source.read(5), lambda: there.send(b"data")) == b"data"
event = os.eventfd(0)
with io.FileIO(event) as source:
    assert waits(lambda: source.read(8), lambda: os.eventfd_write(event, 1)) == b"\\1".ljust(8, b"\\0")
"""
    )


@pytest.mark.slow
def test_classes_derived_from_fileio(run_program) -> None:
    run_program(
        """
import abc, io, os
class Early(io.FileIO): pass
early_class = io.FileIO
"""
        + HEAD
        + WAITS
        + """
class Late(io.FileIO):
    def __init__(self, *args):
        io.FileIO.__init__(self, *args)
        self.count = 0
    def read(self, size=-1):
        self.count += 1
        return super().read(size)
class Mixed(io.FileIO, abc.ABC): pass
for kind in (Early, Late, Mixed):
    assert issubclass(kind, io.FileIO)
    with kind("file", "w") as file:
        assert isinstance(file, io.FileIO) and isinstance(file, kind) and file.write(b"abc") == 3
    with kind("file") as file:
        assert file.read() == b"abc" and file.seek(1) == 1 and file.readall() == b"bc"
        assert file.readinto(bytearray(1)) == 0
    with io.FileIO("file") as file:
        assert isinstance(file, io.FileIO) and not isinstance(file, kind) and io.FileIO.read(file, 2) == b"ab"
r, w = os.pipe()
with Late(r) as source:
    assert waits(lambda: source.read(5), lambda: os.write(w, b"data")) == b"data" and source.count == 1
for arguments in (("absent",), ("file", "q"), (-1,), (3.5,), ()):
    caught = []
    for kind in (io.FileIO, early_class, Late):
        try:
            kind(*arguments)
        except Exception as error:
            caught.append((type(error), str(error).replace("Late.", "FileIO.")))
    assert caught[0][0] is caught[1][0] is caught[2][0], caught
greening.unpatch()
assert io.FileIO is type(io.open("file", "rb", 0))
"""
    )


@pytest.mark.slow
def test_buffers_that_a_program_makes_itself(run_program) -> None:
    run_program(
        """
import io
real = io.BufferedReader
class Early(io.BufferedReader): pass
"""
        + HEAD
        + WAITS
        + """
import _io, abc, functools
assert io.BufferedReader is _io.BufferedReader is not real
r, w = os.pipe()
with io.BufferedReader(io.FileIO(r), buffer_size=100) as source, io.BufferedWriter(io.FileIO(w, "w")) as sink:
    assert isinstance(source, io.BufferedReader) and isinstance(sink, io.BufferedWriter)
    second = greening.spawn(source.readline)
    assert waits(source.readline, lambda: os.write(w, b"one\\ntwo\\n")) in (b"one\\n", b"two\\n")
    assert second.wait() in (b"one\\n", b"two\\n")
    both = [greening.spawn(sink.write, bytes(200_000)) for _ in range(2)]
    greening.sleep(0)
    left = 400_000 - sink.raw._blksize
    while left > 0:
        left -= len(source.read1(65536))
    assert [each.wait() for each in both] == [200_000, 200_000]
class Late(io.BufferedReader, abc.ABC): pass
with open("file", "w+b") as file:
    file.write(b"abc")
for kind in (Early, Late, io.BufferedReader):
    with kind(io.FileIO("file")) as file:
        assert isinstance(file, io.BufferedReader) and isinstance(file, kind) and file.read() == b"abc"
    assert issubclass(kind, io.BufferedReader)
with open("file", "rb") as file:
    assert isinstance(file, io.BufferedReader) and not isinstance(file, Late)
    assert io.BufferedReader.read(file, 2) == b"ab"
@functools.singledispatch
def what(file): return "something"
what.register(io.BufferedReader)(lambda file: "a reader")
with open("file", "rb") as file:
    assert what(file) == "a reader" and what(file.raw) == "something"
for arguments in ((), (None,), (file,), (io.FileIO("file"), -1)):
    for kind in (io.BufferedReader, Early):
        try:
            kind(*arguments)
        except (AttributeError, TypeError, ValueError):
            pass
        else:
            raise AssertionError(arguments)
greening.unpatch()
assert real is io.BufferedReader is _io.BufferedReader is type(io.open("file", "rb"))
"""
    )


@pytest.mark.slow
def test_terminals_by_path(run_program) -> None:
    run_program(
        HEAD
        + WAITS
        + """
import tty
master, slave = os.openpty()
tty.setraw(slave)
name = os.ttyname(slave)
def type_it():
    os.write(master, b"typed\\n")
for opened in (
    open(name), io.open(name, "rb"), open(name, "rb", 0), open(name, "r+b", 0), io.FileIO(name), io.FileIO(name, "r+"),
    io.FileIO(slave, closefd=False), open(slave, closefd=False),
):
    with opened as file:
        assert file.name in (name, slave) and file.isatty()
        assert waits(file.readline, type_it) in ("typed\\n", b"typed\\n")
with open(name, "w") as file:
    assert file.line_buffering
    file.write("shown\\n")
    assert os.read(master, 100) == b"shown\\n"
"""
    )


@pytest.mark.slow
def test_a_fifo_that_was_opened_before_there_were_others(run_program) -> None:
    run_program(
        HEAD
        + WAITS
        + """
os.mkfifo("fifo")
keep = os.open("fifo", os.O_RDWR)
for opened in (open("fifo"), open("fifo", "rb", opener=os.open), io.FileIO("fifo")):
    with opened as file:
        assert waits(file.readline, lambda: os.write(keep, b"line\\n")) in ("line\\n", b"line\\n")
"""
    )


PRINTS = """
import sys
early = sys.{0}
import greening
greening.monkey_patch()
import os, threading
assert sys.{0} is early is sys.__{0}__ and early.name == "<{0}>"
ticked = threading.Event()
def tick():
    os.write(int(sys.argv[1]), b"others run")
    ticked.set()
greening.spawn_after(0.001, tick)
early.write("x" * 300_000)
early.flush()
assert ticked.is_set()
print("the end", file=early)
greening.unpatch()
early.write("after")
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("options", [[], ["-u"]])
def test_a_write_to_a_full_standard_stream_lets_others_run(name: str, options: list[str]) -> None:
    told, tell = os.pipe()
    command = [sys.executable, *options, "-c", PRINTS.format(name), str(tell)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    with subprocess.Popen(command, pass_fds=[tell], env=environment, **{name: subprocess.PIPE}) as child:
        os.close(tell)
        stream = getattr(child, name)
        assert select.select([told], [], [], 20)[0], "nothing runs while the stream is full"
        assert os.read(told, 100) == b"others run"
        assert stream.read() == b"x" * 300_000 + b"the end\nafter"
    assert child.returncode == 0
    os.close(told)


@pytest.mark.parametrize("options", [[], ["-u"]])
def test_a_standard_stream_that_was_a_file_and_is_a_pipe_outlives_unpatch(options: list[str], tmp_path: Path) -> None:
    program = """
import os, sys
sys.stdout.seekable()
reading, writing = os.pipe()
os.dup2(writing, 1)
import greening
greening.monkey_patch()
print("patched")
greening.unpatch()
print("unpatched", flush=True)
assert os.read(reading, 100) == b"patched\\nunpatched\\n"
sys.stdout.buffer.write(b"x")
sys.stdout.flush()
assert os.read(reading, 100) == b"x"
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with (tmp_path / "out").open("wb") as file:
        subprocess.run([sys.executable, *options, "-c", program], stdout=file, env=environment, check=True, timeout=30)


def test_green_classes_show_the_names_of_those_they_stand_for(run_program) -> None:
    run_program(
        HEAD
        + """
import socket, warnings
for name in ("FileIO", "BufferedReader", "BufferedWriter", "BufferedRWPair"):
    named = getattr(io, name)
    assert (named.__module__, named.__name__, named.__qualname__) == ("_io", name, name), named
with socket.socket() as sock:
    for mode, name in (("rb", "BufferedReader"), ("wb", "BufferedWriter")):
        file = sock.makefile(mode)
        file.close()
        assert repr(file) == f"<_io.{name} name=-1>", repr(file)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    io.FileIO(False, closefd=False)
assert all(warning.filename == __file__ for warning in caught), caught
"""
    )
