"""The other end of `--inspect`: asks a running program, for the commands of `python -m greening`."""

import json
import os
import sys
from _socket import AF_UNIX, SOCK_STREAM
from typing import Any

from greening._originals import raw_socket
from greening.debug.inspector import path_of

# Seconds that a program has for its answer: a call in C may keep the GIL.
PATIENCE = 30.0


class NoAnswer(Exception):
    """The program cannot be asked. The message says why, and what to do."""


def ask(pid: int, command: str, **options: Any) -> dict[str, Any]:
    """What the program with this number answers to a command.

    Raises:
        NoAnswer: it is not there, was not started with --inspect, or does not answer in time.
    """
    question = json.dumps({"command": command, **options}).encode() + b"\n"
    received = b""
    program = raw_socket(AF_UNIX, SOCK_STREAM)
    try:
        program.settimeout(PATIENCE)
        program.connect(path_of(pid))
        program.sendall(question)
        while part := program.recv(65536):
            received += part
    except TimeoutError:
        raise NoAnswer(
            f"process {pid} has not answered within {PATIENCE:g} s: a call in C keeps its GIL; "
            f"`py-spy dump --pid {pid}` or `kill -ABRT` with PYTHONFAULTHANDLER=1 show where"
        ) from None
    except OSError as error:
        raise NoAnswer(why_not(pid, error)) from None
    finally:
        program.close()
    if not received:
        raise NoAnswer(f"process {pid} is not this user's, or it has ended")
    answer: dict[str, Any] = json.loads(received)
    if "error" in answer:
        raise NoAnswer(f"process {pid} answers: {answer['error']}")
    return answer


def why_not(pid: int, error: OSError) -> str:
    """Why a process cannot be asked, and what to do."""
    if not os.path.exists(f"/proc/{pid}"):
        return f"there is no process {pid}"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return f"process {pid} has ended meanwhile"
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
        return (
            f"process {pid} cannot be looked into, since there is no {path_of(pid)}: start it by `python -m greening "
            "--inspect ...`, or with GREENING_INSPECT=1 in its environment, as the same user and with the same "
            "XDG_RUNTIME_DIR"
        )
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
    sys.stdout.write(found["text"] if "text" in found else json.dumps(found, indent=1) + "\n")
    return 0
