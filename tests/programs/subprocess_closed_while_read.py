"""A pipe of a child is closed while another thread reads it: the close waits, and the child is not killed."""

import greening

greening.monkey_patch()

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

# Prints "b" when its input ends.
CHILD = [sys.executable, "-c", "print('a', flush=True); open(0).read(); print('b'); raise SystemExit(3)"]


def lines(file: Any) -> list[Any]:
    return list(file)


def read_once(file: Any) -> list[Any]:
    return [file.read(4)]


def collect(read: Callable[[Any], list[Any]], file: Any, got: list[Any]) -> None:
    got.extend(read(file))


READS: list[tuple[Callable[[Any], list[Any]], dict[str, Any]]] = [
    (lines, {}),
    (lines, {"text": True}),
    (lines, {"text": True, "bufsize": 1}),
    (lambda file: [file.read()], {}),
    (lambda file: [file.read()], {"text": True}),
    (lambda file: [file.read()], {"bufsize": 0}),
    (read_once, {}),
    (lambda file: [file.readline(), file.readline()], {}),
]

for read, options in READS:
    hold, release = os.pipe()
    got: list[Any] = []
    with subprocess.Popen(CHILD, stdin=hold, stdout=subprocess.PIPE, **options) as child:
        reader = threading.Thread(target=collect, args=(read, child.stdout, got))
        reader.start()
        greening.sleep(0)  # it reads
        os.close(hold)
        greening.spawn_after(0.01, os.close, release)
    reader.join()
    joined = got[0][:0].join(got)
    assert joined in ("a\nb\n", b"a\nb\n"), (options, got)
    assert child.returncode == 3, (options, child.returncode)

# communicate() in another thread.
hold, release = os.pipe()
with subprocess.Popen(CHILD, stdin=hold, stdout=subprocess.PIPE) as child:
    outcome: list[Any] = []
    reader = threading.Thread(target=collect, args=(lambda child: [child.communicate()], child, outcome))
    reader.start()
    greening.sleep(0)
    os.close(hold)
    greening.spawn_after(0.01, os.close, release)
reader.join()
assert outcome == [(b"a\nb\n", None)], outcome
assert child.returncode == 3
