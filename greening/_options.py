"""The command line of `python -m greening`: what stands before the program, and the commands for running programs.

argparse is not used: importing it takes as long as patching does.
"""

import os
import sys
from importlib import import_module
from typing import Any, Final, NoReturn

import greening
from greening.patches import CATALOGUE

USAGE = """\
usage: python -m greening [OPTION ...] (SCRIPT | -m MODULE | -c CODE | -) [ARG ...]
       python -m greening COMMAND PID [OPTION ...]

Run a Python program with the standard library made cooperative. SCRIPT is a file, or a directory or zip file with a
__main__.py; without it, or with -, the program is read from standard input; on a terminal that is a prompt, in which
green threads run while it waits and `await` works.

what is patched
  --only LIST   patch only these, separated by commas: {flags}
  --skip LIST   patch everything but these
  --no-patch    patch nothing; the program may call greening.monkey_patch() itself
  --as-eventlet have `import eventlet` mean greening, here and in the Python programs that this one starts; patch
                nothing that --only or --skip do not name, since the program calls eventlet.monkey_patch() itself

how it runs
  -i            when the program has ended, go on with a prompt, as `python -i` does

what is seen inside
  --inspect     let the commands below look into the program, from its own user and machine only
  --watch SECONDS[:FILE]
                tell which green thread keeps all others from running for so long, where, and what to do
  --profile FILE
                write where the time went: .json for https://www.speedscope.app, .txt or .folded for flamegraph.pl
  --profile-clock wall|cpu|both
                elapsed time, with the waiting apart; time on a processor; both (the default)
  --trace FILE  write to FILE what every green thread did, when, and what it waited for; open it at
                https://ui.perfetto.dev or in chrome://tracing
  --graph FILE  at a deadlock, draw who waits for whom (SVG)
  --audit       when the program has ended, list on standard error what stayed unpatched, and where; the exit status is
                3 if something was found and the program has ended with 0
  --json        with --audit: as JSON, in one line
  --info        print what is running: versions, what is patched, the plug-ins; with a program, when it has ended

commands, for a program that was started with --inspect or GREENING_INSPECT=1
  dump PID      print what each green thread does or waits for, and its stack; --json, --locals
  top PID       show, second by second, what the program does and where its time goes (extra `top`); --once

  --version     print versions
  --help        print this
"""

FLAGS = tuple(dict.fromkeys(entry.flag for entry in CATALOGUE))

# What a command calls, with the words that follow it; its result is the exit status.
COMMANDS: Final = {
    "dump": ("greening.debug.asking", "dump_command"),
    "top": ("greening.debug.top", "top_command"),
}

# Options without a value, and the attribute of `Options` that they set.
_SWITCHES: Final = {
    "--no-patch": ("patch", False),
    "--as-eventlet": ("as_eventlet", True),
    "--audit": ("audit", True),
    "--json": ("json", True),
    "--info": ("info", True),
    "--inspect": ("inspect", True),
}
# Options with a value, and what that is.
_VALUES: Final = {
    "--graph": "file",
    "--profile": "file",
    "--profile-clock": "clock: wall, cpu or both",
    "--trace": "file",
    "--watch": "number of seconds",
}


class Options:
    """What stands before the program on the command line."""

    def __init__(self) -> None:
        self.flags: dict[str, Any] = {}
        self.patch = True
        self.as_eventlet = False
        self.audit = False
        self.info = False
        self.inspect = False
        self.json = False
        self.prompt = False
        self.values: dict[str, str] = {}


def run_command(arguments: list[str]) -> None:
    """Run the command that the arguments name, if they name one. A file of that name is a program, as ever.

    Raises:
        SystemExit: there was one, and it has ended.
    """
    if arguments and arguments[0] in COMMANDS and not os.path.exists(arguments[0]):
        if {"-h", "--help"}.intersection(arguments):
            answer(_usage())
        module, function = COMMANDS[arguments[0]]
        raise SystemExit(getattr(import_module(module), function)(arguments[1:]))


def parse(arguments: list[str]) -> tuple[Options, list[str]]:
    """Our options, and what follows them."""
    options = Options()
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "-" and rest[0][:2] not in ("-m", "-c"):
        name, equals, value = rest.pop(0).partition("=")
        if name in ("--only", "--skip"):
            value = _value(name, f"list of flags: {', '.join(FLAGS)}", equals, value, rest)
            options.flags.update(dict.fromkeys(_flags(name, value), name == "--only"))
        elif name in _SWITCHES:
            setattr(options, *_SWITCHES[name])
        elif name in _VALUES:
            options.values[name] = _value(name, _VALUES[name], equals, value, rest)
            if not options.values[name]:
                refuse(f"{name} needs a {_VALUES[name]}")
        elif name == "-i":
            options.prompt = not sys.flags.interactive  # or the interpreter does it
        elif name in ("--version", "-V"):
            answer(_versions())
        elif name in ("--help", "-h"):
            answer(_usage())
        elif name == "--":
            break
        else:
            refuse(f"unknown option {name}")
    if len(set(options.flags.values())) == 2:
        refuse("--only and --skip exclude each other")
    if options.json and not options.audit:
        refuse("--json belongs to --audit")
    if "--profile-clock" in options.values and "--profile" not in options.values:
        refuse("--profile-clock belongs to --profile")
    return options, rest


def _value(name: str, what: str, equals: str, value: str, rest: list[str]) -> str:
    """The value of an option: what follows the sign of equality, or the next word."""
    if not equals and not rest:
        refuse(f"{name} needs a {what}")
    return value if equals else rest.pop(0)


def _flags(option: str, text: str) -> list[str]:
    flags = [flag.strip() for flag in text.split(",") if flag.strip()]
    unknown = [flag for flag in flags if flag not in FLAGS]
    if unknown or not flags:
        problem = f"unknown flag {', '.join(unknown)}" if unknown else "no flag"
        refuse(f"{option}: {problem}; the flags are: {', '.join(FLAGS)}")
    return flags


def refuse(problem: str) -> NoReturn:
    """End with status 2 and a hint, for a command line that makes no sense."""
    sys.stderr.write(f"greening: {problem}\nTry `python -m greening --help`.\n")
    raise SystemExit(2)


def answer(text: str) -> NoReturn:
    """End with what was asked for."""
    sys.stdout.write(text.rstrip() + "\n")
    raise SystemExit(0)


def _usage() -> str:
    return USAGE.format(flags=", ".join(FLAGS))


def _versions() -> str:
    greenlet = import_module("greenlet").__version__
    return f"greening {greening.__version__} (Python {sys.version.split()[0]}, greenlet {greenlet})"
