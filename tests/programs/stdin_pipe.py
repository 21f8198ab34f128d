"""Standard input is a pipe: reading it lets others run, and nothing is lost when the patch comes late or goes."""

import os
import sys
from sys import stdin as early  # captured before the patch

import greening

read_end, write_end = os.pipe()
os.dup2(read_end, 0)
os.close(read_end)
early_buffer, early_raw = early.buffer, early.buffer.raw

# The text layer takes its 8192 bytes out of what the buffer below it has read ahead, and cuts a character in two.
assert sys.stdin.encoding == "utf-8"
first = "line 1\n" + "é" * 5000 + "\nline 3\n"
os.write(write_end, first.encode())
assert sys.stdin.readline() == "line 1\n"

greening.monkey_patch()
import threading

assert sys.stdin is early is sys.__stdin__
assert sys.stdin.buffer is early_buffer
assert (sys.stdin.name, sys.stdin.buffer.name, sys.stdin.buffer.raw.name) == ("<stdin>",) * 3
assert not sys.stdin.closed and sys.stdin.fileno() == sys.stdin.buffer.raw.fileno() == 0
assert sys.stdin.readline() == "é" * 5000 + "\n"
assert early.readline() == "line 3\n"


def while_others_run(read: object, data: bytes) -> object:
    """What `read` gets, if it waits until another green thread writes."""
    thread = greening.spawn(os.write, write_end, data)
    assert not thread.dead
    return read()


assert while_others_run(sys.stdin.readline, b"one\ntwo\n") == "one\n"
assert input() == "two"
assert while_others_run(lambda: input("prompt"), b"three\n") == "three"
assert while_others_run(early_buffer.readline, b"four\n") == b"four\n"
assert while_others_run(lambda: sys.stdin.read(4), b"five") == "five"
assert while_others_run(lambda: os.read(0, 9), b"six") == b"six"
assert while_others_run(lambda: next(sys.stdin), b"seven\n") == "seven\n"

# Several may wait for the buffer, in turn.
got = []
readers = [threading.Thread(target=lambda: got.append(early_buffer.readline())) for _ in range(3)]
for reader in readers:
    reader.start()
greening.sleep(0)
os.write(write_end, b"a\nb\nc\n")
for reader in readers:
    reader.join()
assert got == [b"a\n", b"b\n", b"c\n"], got

# A wait for input can be interrupted, and loses nothing.
with greening.Timeout(0.01, False):
    sys.stdin.readline()
    raise AssertionError
assert while_others_run(sys.stdin.readline, b"after\n") == "after\n"

# Taken back, with data in all layers.
os.write(write_end, b"x\ny\n" + b"z" * 9000 + b"\nend\n")
assert sys.stdin.readline() == "x\n"
greening.unpatch()
assert sys.stdin is early and early.buffer is early_buffer and early_raw.fileno() == 0
assert vars(early_buffer) == {}
assert [sys.stdin.readline() for _ in range(3)] == ["y\n", "z" * 9000 + "\n", "end\n"]

# And again, with data left by the time before; the end of the file, and closing.
os.write(write_end, b"left\n")
greening.monkey_patch()
os.write(write_end, b"x\n")
assert early_buffer.peek() == b"left\nx\n"
greening.unpatch()
greening.monkey_patch()
assert [early.readline(), early.readline()] == ["left\n", "x\n"]
assert while_others_run(sys.stdin.readline, b"again\n") == "again\n"
greening.spawn(os.close, write_end)
assert sys.stdin.readline() == ""
try:
    input()
except EOFError:
    pass
else:
    raise AssertionError
sys.stdin.close()
assert sys.stdin.closed and early_buffer.closed and early_raw.closed
os.fstat(0)  # which is not its to close
print("done")
