"""Profiles as files: folded stacks, and speedscope's format."""

import json

import pytest

from greening.debug.flame import Function, folded, format_of, speedscope

MAIN, PARSE, ODD = Function("main"), Function("parse", "app.py", 3), Function("a;b\nc", "app.py", 9)
PROFILES = {"running": {(MAIN, PARSE): 0.5, (MAIN,): 0.25}, "waiting": {(MAIN, ODD): 2.0}}


def test_folded_stacks_are_lines_of_names_and_microseconds() -> None:
    assert folded(PROFILES).splitlines() == [
        "running;main 250000",
        "running;main;parse 500000",
        "waiting;main;a,b c 2000000",
    ]


def test_speedscope_has_one_profile_for_each() -> None:
    whole = json.loads(speedscope(PROFILES, "app.py"))
    assert whole["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert whole["name"] == "app.py"
    frames = whole["shared"]["frames"]
    assert {"name": "parse", "file": "app.py", "line": 3} in frames
    assert {"name": "main"} in frames
    for shown, (title, weights) in zip(whole["profiles"], PROFILES.items(), strict=True):
        assert (shown["type"], shown["unit"], shown["name"]) == ("sampled", "seconds", title)
        assert shown["startValue"] == 0
        assert shown["endValue"] == sum(shown["weights"]) == sum(weights.values())
        stacks = [tuple(frames[number]["name"] for number in sample) for sample in shown["samples"]]
        assert dict(zip(stacks, shown["weights"], strict=True)) == {
            tuple(function.name for function in stack): seconds for stack, seconds in weights.items()
        }


def test_stacks_that_begin_alike_are_neighbours() -> None:
    weights = {(MAIN, PARSE): 1.0, (ODD,): 1.0, (MAIN,): 1.0}
    (shown,) = json.loads(speedscope({"x": weights}, "x"))["profiles"]
    assert [len(sample) for sample in shown["samples"]] == [1, 1, 2]


def test_the_suffix_is_the_format() -> None:
    assert format_of("a/b.json") == "speedscope"
    assert format_of("b.TXT") == format_of("b.folded") == "folded"
    with pytest.raises(ValueError, match=r"\.json, \.txt, \.folded"):
        format_of("profile.svg")
