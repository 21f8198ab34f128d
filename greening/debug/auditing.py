"""The audit: what stayed blocking in spite of `monkey_patch()`, as objects, as text and as JSON."""

import gc
import json
from collections.abc import Iterator

from greening.debug.findings import LOOKED_FOR, NOT_SEEN, Finding
from greening.debug.leftovers import instances, locks, methods, names
from greening.debug.outside import foreign_threads, interpreters, modules, plugins_at_work, streams, threads
from greening.debug.periodic import looking_away
from greening.patcher.ledger import LEDGER

# The exit status of `python -m greening --audit`, if the program itself ends with 0 and something was found.
FOUND = 3


def audit() -> list[Finding]:
    """What is not green although `monkey_patch()` was called, and may block.

    Most of it was imported or made before the patch; the rest waits in C. `python -m greening --audit` also tells what
    was looked for, and what no look can show: an empty list is no proof that nothing blocks.

    Collects garbage and looks through the whole heap, which takes from milliseconds to seconds. It runs no foreign code
    but the finalisers of garbage. Modules that are patched are left out: what they keep, they keep on purpose.

    Returns:
        The findings, sorted; none when nothing is patched.
    Thread-safety: call it in any OS thread.
    """
    if not LEDGER.placed:
        return []
    looks = (names, methods, locks, instances, streams, modules, threads, interpreters)
    with looking_away():  # what samples hold of these very frames would be found
        gc.collect()  # what nothing refers to any more is no problem
        return sorted({finding for look in looks for finding in look()})


def notes() -> list[str]:
    """What else is known, and is no finding."""
    found = []
    if not LEDGER.placed:
        found.append("nothing is patched: greening.monkey_patch() was not called, or taken back")
    if LEDGER.placed and (at_work := plugins_at_work()):
        found.append(f"plug-ins have these wait greenly: {', '.join(at_work)}")
    with looking_away():  # the threads of instruments are no strangers
        strangers = foreign_threads()
    if strangers:
        named = ", ".join(f"{name} ({count})" for name, count in sorted(strangers.items()))
        found.append(f"OS threads of C libraries: {named}; they hold up no green thread")
    return found


def as_text(findings: list[Finding]) -> str:
    """The report for people."""
    return "".join(f"{line}\n" for line in _lines(findings))


def _lines(findings: list[Finding]) -> Iterator[str]:
    if findings:
        yield f"greening: audit: {len(findings)} left unpatched"
        yield from (f"  {finding}" for finding in findings)
    else:
        yield "greening: audit: nothing was found of what it looks for"
    for title, texts in (("looked for", LOOKED_FOR), ("it cannot see", NOT_SEEN), ("also", notes())):
        if texts:
            yield f"  {title}:"
            yield from (f"    - {text}" for text in texts)


def as_json(findings: list[Finding]) -> str:
    """The same for programs: an object with the lists `findings` (with the fields of `Finding`), `looked_for`,
    `cannot_see` and `notes`, in one line."""
    return json.dumps(
        {
            "findings": [finding._asdict() for finding in findings],
            "looked_for": LOOKED_FOR,
            "cannot_see": NOT_SEEN,
            "notes": notes(),
        }
    )
