"""Scenarios on whose outcome eventlet and greening agree."""

from collections.abc import Callable
from typing import Any

Scenario = Callable[[Any], object]

# The name of a scenario -> the scenario, and its outcome as JSON has it.
SCENARIOS: dict[str, tuple[Scenario, object]] = {}


def agreed(outcome: object) -> Callable[[Scenario], Scenario]:
    """Register a function that is given a library, and returns this outcome with both."""

    def register(scenario: Scenario) -> Scenario:
        assert scenario.__name__ not in SCENARIOS, scenario.__name__
        SCENARIOS[scenario.__name__] = (scenario, outcome)
        return scenario

    return register


def error_of(call: Callable[..., object], *args: object) -> str:
    """The name of the class of what `call(*args)` raises; "nothing"."""
    try:
        call(*args)
    except BaseException as error:  # the outcome
        return type(error).__name__
    return "nothing"
