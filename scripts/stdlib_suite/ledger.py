"""tests/stdlib/ledger.toml: tests that a green thread cannot pass, each with a reason. Everything else must pass."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stdlib_suite.results import GOOD, Outcomes, Verdict

_KEYS = {"id", "versions", "reason"}
_MIN_REASON = 20  # characters: "implementation detail" alone is none, a sentence is


class BadLedger(Exception):
    """The file says something that it may not say."""


@dataclass(frozen=True, slots=True)
class Line:
    """Attributes:
    id: name of a test.
    versions: of Python, "3.13", where it differs.
    reason: why a green thread cannot do it.
    """

    id: str
    versions: tuple[str, ...]
    reason: str


@dataclass(slots=True)
class Judgement:
    """Attributes:
    new: differ each time, and are in no line.
    expected: differ, as the ledger says.
    hangs: hang each time; no line excuses that.
    unsteady: differed, but not each time.
    stale: lines whose test passes.
    """

    new: list[Verdict] = field(default_factory=list)
    expected: list[Verdict] = field(default_factory=list)
    hangs: list[Verdict] = field(default_factory=list)
    unsteady: list[Verdict] = field(default_factory=list)
    stale: list[Line] = field(default_factory=list)

    @property
    def fails(self) -> bool:
        """Whether this is an error."""
        return bool(self.new or self.hangs or self.stale)


def read(path: Path) -> list[Line]:
    """The lines of the ledger.

    Raises:
        BadLedger: it is not TOML; a key is missing or unknown; a reason says nothing; a test is there twice.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8")).get("expected", [])
    except tomllib.TOMLDecodeError as error:
        raise BadLedger(f"{path}: {error}") from error
    lines: list[Line] = []
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        where = f"{path}: {entry.get('id', 'a line without id')}"
        if set(entry) != _KEYS:
            raise BadLedger(f"{where}: it needs {', '.join(sorted(_KEYS))}, and nothing else")
        if len(entry["reason"].strip()) < _MIN_REASON:
            raise BadLedger(f"{where}: give a reason, in a sentence")
        if not entry["versions"] or not all(isinstance(version, str) for version in entry["versions"]):
            raise BadLedger(f'{where}: versions are texts, ["3.13"]')
        line = Line(entry["id"], tuple(entry["versions"]), entry["reason"].strip())
        again = seen.intersection((line.id, version) for version in line.versions)
        if again:
            raise BadLedger(f"{where}: twice for {', '.join(sorted(version for _, version in again))}")
        seen.update((line.id, version) for version in line.versions)
        lines.append(line)
    return lines


def judge(lines: Iterable[Line], version: str, verdicts: Iterable[Verdict], outcomes: Outcomes) -> Judgement:
    """Compare what differs with what may.

    Args:
        outcomes: all tests that were run patched. A line whose test is not among them is not judged.
    """
    valid = {line.id: line for line in lines if version in line.versions}
    result = Judgement()
    differing: set[str] = set()
    for verdict in verdicts:
        name = verdict.difference.name
        if verdict.hangs:
            result.hangs.append(verdict)
        elif name in valid:
            result.expected.append(verdict)
        elif verdict.confirmed:
            result.new.append(verdict)
        else:
            result.unsteady.append(verdict)
        differing.add(name)
    for name, line in valid.items():
        if name not in differing and name in outcomes and outcomes[name].status in GOOD:
            result.stale.append(line)
    return result


def proposal(judgement: Judgement, version: str, lines: Collection[Line]) -> str:
    """What would have to change in the file, as text to be edited: reasons are for people to find."""
    texts = []
    known = {line.id: line for line in lines}
    for verdict in (*judgement.new, *judgement.hangs):
        name = verdict.difference.name
        last = verdict.difference.now.detail.strip().rpartition("\n")[2]
        versions = [version] if name not in known else [*known[name].versions, version]
        quoted = ", ".join(f'"{one}"' for one in versions)
        texts.append(f'# {last}\n[[expected]]\nid = "{name}"\nversions = [{quoted}]\nreason = ""\n')
    texts.extend(f"# passes on {version}, take the version away: {line.id}\n" for line in judgement.stale)
    return "\n".join(texts)
