"""What a type checker knows of the public names: results, arguments, and code behind a Timeout."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# A line with "# is: TYPE" has that type; one with "# error: CODE" is refused; no other one is.
PROGRAM = """\
import greening
from greening.green import socket

def size(url: str) -> int:
    return len(url)

def both(text: str, number: int) -> int:
    return number

def limited(url: str) -> int:
    with greening.Timeout(5):
        return size(url)

pool = greening.GreenPool()
reveal_type(greening.with_timeout(1, size, "x"))  # is: int
reveal_type(greening.with_timeout(1, size, "x", timeout_value=None))  # is: int | None
reveal_type(greening.spawn(size, "x").wait())  # is: int
reveal_type(greening.spawn(print, "x", end="").wait())  # is: None
reveal_type(pool.spawn(size, "x").wait())  # is: int
reveal_type(next(pool.imap(size, ["x"])))  # is: int
reveal_type(next(pool.imap(both, ["x"], [1])))  # is: int
reveal_type(next(pool.imap(None, ["x"], [1])))  # is: tuple[Any, ...]
reveal_type(pool.map(size, ["x"]))  # is: list[int]
reveal_type(next(pool.imap_unordered(lambda x: x + 1, [1])))  # is: int
reveal_type(next(greening.as_completed([greening.spawn(size, "x")])).wait())  # is: int
reveal_type(greening.wait([greening.spawn(size, "x")])[0].wait())  # is: int
reveal_type(socket.socket().recv(1))  # is: bytes
reveal_type(pool.waitall(timeout=1))  # is: bool
with greening.nursery() as n:
    reveal_type(n.spawn(size, "x").wait())  # is: int
    n.spawn(size)  # error: call-arg
greening.spawn(size)  # error: call-arg
greening.spawn(size, 3)  # error: arg-type
greening.spawn_n(size, 3)  # error: arg-type
greening.spawn_after(1, size, 3)  # error: arg-type
pool.spawn(size, 3)  # error: arg-type
pool.imap(size, [1])  # error: arg-type
pool.imap_unordered(size, [1])  # error: arg-type
pool.map(both, [1], [2])  # error: arg-type
"""


@pytest.mark.slow
def test_a_type_checker_knows_results_and_arguments(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is in the extra `dev`")
    package = tmp_path / "greening"  # with `patches` under the name it has when installed
    package.mkdir()
    for part in [*(ROOT / "greening").iterdir(), ROOT / "patches"]:
        (package / part.name).symlink_to(part)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    options = ["--strict", "--no-pretty", "--follow-imports=silent", "--config-file", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", "mypy", *options, "--cache-dir", str(tmp_path / "cache"), "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False)
    said = Counter[tuple[int, str]]()
    for line, kind, text in re.findall(r"^program\.py:(\d+): (note|error): (.*)$", done.stdout, re.MULTILINE):
        found = re.search(r'Revealed type is "(.*)"' if kind == "note" else r"\[([\w-]+)\]$", text)
        if found is not None:
            said[int(line), f"{'is' if kind == 'note' else kind}: {found.group(1)}"] += 1
    wanted = Counter(
        (number, comment)
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        for comment in re.findall(r"# ((?:is|error): .*)$", line)
    )
    assert said == wanted, done.stdout + done.stderr
