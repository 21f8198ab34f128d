"""The other end of `--inspect`: asks a running program, for the commands of `python -m greening`."""

import json
import os
import sys
from _socket import AF_UNIX, SOCK_STREAM
from collections.abc import Callable
from select import select
from typing import Any

from greening._originals import raw_socket
from greening.debug.inspector import folder_of, path_of

# Seconds that a program has for its answer: a call in C may keep the GIL.
PATIENCE = 30.0
# Seconds, beyond those that are asked for, after which it is told that there is no answer yet.
LATE = 3.0


class NoAnswer(Exception):
    """The program cannot be asked. The message says why, and what to do."""


def wait_for_answer(program: Any, seconds: float) -> None:
    """Wait until a program answers, or say on standard error that it is late.

    Args:
        seconds: that the answer takes.
    """
    late = seconds + LATE
    if not select([program], [], [], late)[0]:
        sys.stderr.write(
            f"greening: no answer for {late:g} s: the program is stopped, or a call in C keeps its GIL; still waiting\n"
        )


def ask(
    pid: int, command: str, *, wait: Callable[[Any, float], object] = wait_for_answer, **options: Any
) -> dict[str, Any]:
    """What the program with this number answers to a command.

    Args:
        wait: is called with the socket, and the seconds that the answer takes, before it is read.
    Raises:
        NoAnswer: it is not there, was not started with --inspect, or does not answer in time.
    """
    question = json.dumps({"command": command, **options}).encode() + b"\n"
    received, path = b"", ""
    program = raw_socket(AF_UNIX, SOCK_STREAM)
    try:
        program.settimeout(PATIENCE)
        path = where_to_ask(pid)
        program.connect(path)
        program.sendall(question)
        wait(program, options.get("seconds", 0.0))
        while part := program.recv(65536):
            received += part
    except TimeoutError:
        raise NoAnswer(
            f"process {pid} has not answered within {PATIENCE:g} s: it is stopped, or a call in C keeps its GIL; "
            f"`py-spy dump --pid {pid}` or `kill -ABRT` with PYTHONFAULTHANDLER=1 show where"
        ) from None
    except OSError as error:
        raise NoAnswer(why_not(pid, error, path)) from None
    finally:
        program.close()
    if not received:
        raise NoAnswer(f"process {pid} is not this user's, or it has ended")
    answer: dict[str, Any] = json.loads(received)
    if "error" in answer:
        raise NoAnswer(f"process {pid} answers: {answer['error']}")
    return answer


def where_to_ask(pid: int) -> str:
    """The path of a program's socket: by its own user and environment, which need not be those of this process.

    Raises:
        OSError: there is no such process. ProcessLookupError: it has ended. PermissionError: it is another user's.
    """
    uid = os.stat(f"/proc/{pid}").st_uid
    with open(f"/proc/{pid}/environ", "rb") as file:
        variables = dict(entry.partition(b"=")[::2] for entry in file.read().split(b"\0"))
    path = os.path.join(folder_of(os.fsdecode(variables.get(b"XDG_RUNTIME_DIR", b"")), uid), f"{pid}.sock")
    mine = path_of(pid)  # it may have set the variable by itself
    return mine if os.path.exists(mine) and not os.path.exists(path) else path


def why_not(pid: int, error: OSError, path: str) -> str:
    """Why a process cannot be asked, and what to do. path: that of its socket; "": the process was gone before."""
    if not os.path.exists(f"/proc/{pid}") or (isinstance(error, FileNotFoundError) and not path):
        return f"there is no process {pid}"
    if isinstance(error, ConnectionResetError | BrokenPipeError | ProcessLookupError):  # or nobody has waited for it
        return f"process {pid} has ended meanwhile"
    if isinstance(error, FileNotFoundError | ConnectionRefusedError):
        return (
            f"process {pid} does not let itself be asked: start it by `python -m greening --inspect ...`, or with "
            f"GREENING_INSPECT=1 in its environment. Nobody answers at {path}"
        )
    if isinstance(error, PermissionError):
        return f"process {pid} is another user's: ask as that user, or as root"
    return f"process {pid} cannot be looked into: {error}"


def pid_of(words: list[str], known: dict[str, str], command: str) -> tuple[int, set[str]]:
    """The number of a process, and the options among `known` that are given.

    Raises:
        NoAnswer: the words make no sense.
    """
    numbers = [word for word in words if not word.startswith("-")]
    given = {word for word in words if word.startswith("-")}
    if unknown := given - known.keys():
        raise NoAnswer(f"unknown option {', '.join(sorted(unknown))}")
    if len(numbers) != 1 or not numbers[0].isdecimal():
        listed = "".join(f" [{option}]" for option in known)
        raise NoAnswer(f"usage: python -m greening {command} PID{listed}")
    return int(numbers[0]), given


def dump_command(words: list[str]) -> int:
    """`python -m greening dump PID [--json] [--locals]`. Returns the exit status."""
    try:
        pid, given = pid_of(words, {"--json": "", "--locals": ""}, "dump")
        found = ask(pid, "dump", locals="--locals" in given, json="--json" in given)
    except NoAnswer as error:
        sys.stderr.write(f"greening: {error}\n")
        return 1
    return put_out(found["text"] if "text" in found else json.dumps(found, indent=1) + "\n")


def put_out(text: str) -> int:
    """Write a text to standard output, whatever characters that takes. Returns the exit status."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:  # `... | head`: nothing is left to be flushed at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0
