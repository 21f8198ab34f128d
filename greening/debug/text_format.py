"""Prometheus's text format: families of samples as lines.

Source: prometheus.io, "Exposition formats", text format 0.0.4.
Decision: written here and not with prometheus_client: the format is lines of a name and a number.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

# The type of the text, for the header Content-Type.
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

# What follows the name of the family in a line, such as `{pool="app.pool"}` or `_count`, and the value.
Samples = Iterable[tuple[str, float]]
# Name without the prefix, type, description, samples.
Family = tuple[str, str, str, Samples]


def text_of(prefix: str, families: Iterable[Family]) -> str:
    """The text of families, each with its description, its type and its samples.

    Args:
        prefix: what the names in the text begin with, and those of the families do not.
        families: descriptions are on one line, and have no backslash.
    """
    lines: list[str] = []
    for name, kind, about, samples in families:
        lines.append(f"# HELP {prefix}{name} {about}")
        lines.append(f"# TYPE {prefix}{name} {kind}")
        # A float with all of its digits: the sum of a year's durations grows by microseconds.
        lines.extend(f"{prefix}{name}{rest} {value!r}" for rest, value in samples)
    return "\n".join(lines) + "\n"


def families_of(rows: Iterable[tuple[str, str, str, str]], things: Collection[tuple[str, object]]) -> Iterator[Family]:
    """A family for each row, with a sample for each thing: the value of one of its attributes.

    Args:
        rows: name, type, description, attribute.
        things: each with its labels, as `braces` makes them.
    """
    for name, kind, about, attribute in rows:
        yield name, kind, about, [(labels, getattr(thing, attribute)) for labels, thing in things]


def braces(**labels: str) -> str:
    """Labels as they follow a name."""
    return "{" + ",".join(f'{key}="{_escape(value)}"' for key, value in labels.items()) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
