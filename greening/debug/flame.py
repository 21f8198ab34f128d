"""Profiles as files that flame graphs are drawn from: folded stacks, and the format of speedscope.

Sources: flamegraph.pl of Brendan Gregg's FlameGraph, on its input; https://www.speedscope.app/file-format-schema.json.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

# The suffix of a file -> what is written to it.
SUFFIXES: Final = {".json": "speedscope", ".txt": "folded", ".folded": "folded"}


class Function(NamedTuple):
    """A frame of a flame graph.

    Attributes:
        name: what is shown.
        file: where the function is; "": it is no function.
        line: its first line; 0: unknown.
    """

    name: str
    file: str = ""
    line: int = 0


# Stacks, the outermost frame first, and their seconds.
Weights = Mapping[tuple[Function, ...], float]


def format_of(path: str | os.PathLike[str]) -> str:
    """The format that belongs to the name of a file: "speedscope" or "folded".

    Raises:
        ValueError: the name has another suffix.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"a profile is written to a file that ends in {', '.join(SUFFIXES)}, not to {os.fspath(path)!r}"
        )
    return SUFFIXES[suffix]


def folded(profiles: Mapping[str, Weights]) -> str:
    """A line for each stack: the names, separated by semicolons, and the microseconds. Each begins with its profile."""
    lines = []
    for title, weights in profiles.items():
        for stack, seconds in weights.items():
            names = ";".join(_plain(name) for name in (title, *(function.name for function in stack)))
            lines.append(f"{names} {round(seconds * 1e6)}\n")
    return "".join(sorted(lines))


def _plain(name: str) -> str:
    return name.replace(";", ",").replace("\n", " ")


def speedscope(profiles: Mapping[str, Weights], name: str) -> str:
    """One file with all profiles; its viewer has them in a list.

    Args:
        name: what the viewer shows as the title.
    """
    numbers: dict[Function, int] = {}
    shown = [_profile(title, weights, numbers) for title, weights in profiles.items()]
    frames = [
        {key: value for key, value in (("name", f.name), ("file", f.file), ("line", f.line)) if value} for f in numbers
    ]
    whole = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": "greening",
        "name": name,
        "activeProfileIndex": 0,
        "shared": {"frames": frames},
        "profiles": shown,
    }
    return json.dumps(whole, separators=(",", ":"))


def _profile(title: str, weights: Weights, numbers: dict[Function, int]) -> dict[str, Any]:
    # Stacks that begin alike stand side by side, in the order of time, too.
    ordered = sorted(weights, key=lambda stack: [function.name for function in stack])
    return {
        "type": "sampled",
        "name": title,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(weights.values()),
        "samples": [[numbers.setdefault(function, len(numbers)) for function in stack] for stack in ordered],
        "weights": [weights[stack] for stack in ordered],
    }
