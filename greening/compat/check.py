"""python -m greening.compat.check [--json] PATH...

Lists every use of eventlet in Python files, and in folders of them, with what becomes of it under greening:

    service.py:12: eventlet.spawn (call): same
    service.py:30: eventlet.getcurrent (call): same, but it returns no greenlet ...
    service.py:41: eventlet.zipkin (import): missing: ...

Exit status: 0; 1 if something is missing; 2 if a file could not be read, or nothing was found to read. Nothing of the
code base is imported or run.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from greening.compat.uses import Use, uses_of
from greening.compat.verdicts import Kind, Verdict, judge

# A file without these bytes has no use in it.
_SIGNS = (b"eventlet", b"__original_module_")


@dataclass(frozen=True)
class Line:
    """One line of the report."""

    path: str
    use: Use
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.path}:{self.use.line}: {self.use.name} ({self.use.kind}): {self.verdict}"

    def as_json(self) -> dict[str, object]:
        """What --json prints for it."""
        use, verdict = self.use, self.verdict
        found = {"path": self.path, "line": use.line, "name": use.name, "kind": use.kind}
        return {**found, "verdict": verdict.kind.value, "note": verdict.note}


@dataclass(frozen=True)
class Report:
    """What was found, and the files that could not be read, with the reason."""

    lines: list[Line]
    unread: list[str]

    @property
    def status(self) -> int:
        """The exit status."""
        if self.unread:
            return 2
        return 1 if any(line.verdict.kind is Kind.MISSING for line in self.lines) else 0

    def summary(self) -> str:
        """One sentence."""
        kinds = Counter(line.verdict.kind for line in self.lines)
        names = len({line.use.name for line in self.lines})
        counts = ", ".join(f"{kinds[kind]} {kind.value}{' ...' if kind is Kind.BUT else ''}" for kind in Kind)
        return f"{len(self.lines)} uses of {names} names: {counts}"


def files_of(paths: Iterable[str]) -> Iterator[Path]:
    """The Python files in folders, in order; other paths as they are. Hidden folders are left out."""
    for path in map(Path, paths):
        if not path.is_dir():
            yield path
            continue
        for file in sorted(path.rglob("*.py")):
            if not any(part.startswith(".") for part in file.relative_to(path).parts):
                yield file


def check(paths: Iterable[str]) -> Report:
    """Look through files and folders."""
    report = Report([], [])
    files = 0
    for file in files_of(paths):
        files += 1
        try:
            source = file.read_bytes()
            uses = uses_of(source, str(file)) if any(sign in source for sign in _SIGNS) else []
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            report.unread.append(f"{file}: {error}")
            continue
        judged = ((use, judge(use)) for use in uses)
        report.lines.extend(Line(str(file), use, verdict) for use, verdict in judged if verdict is not None)
    if not files:
        report.unread.append("there is no Python file here")
    return report


def main(arguments: list[str]) -> int:
    """The command. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m greening.compat.check",
        description="List every use of eventlet, with what becomes of it under greening.",
        epilog="Exit status: 0; 1 if something is missing; 2 if a file could not be read.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="a Python file, or a folder of them")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")
    options = parser.parse_args(arguments)
    report = check(options.paths)
    if options.json:
        uses = [line.as_json() for line in report.lines]
        print(json.dumps({"uses": uses, "unread": report.unread, "summary": report.summary()}, indent=1))
    else:
        print(*report.lines, report.summary(), sep="\n")
        for reason in report.unread:
            print(f"not read: {reason}", file=sys.stderr)
    return report.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
