"""`Settings`: the limits that a connection may have."""

from typing import Any

import pytest

from greening.websocket.budget import PROCESS_BUDGET
from greening.websocket.settings import Settings


def test_a_message_may_be_as_long_as_a_frame_unless_it_is_said() -> None:
    assert Settings(7).message_limit == 7
    assert Settings(7, 9).message_limit == 9
    assert Settings().budget is PROCESS_BUDGET


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_frame_length": 0},
        {"max_message_length": 0},
        {"close_timeout": -1},
        {"window_bits": 8},
        {"window_bits": 16},
        {"ping_interval": 0},
        {"ping_timeout": -1},
        {"idle_timeout": 0.0},
        {"message_timeout": float("nan")},
        {"write_timeout": 0},
    ],
)
def test_limits_that_make_no_sense_are_mistakes(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Settings(**wrong)


def test_no_limit_is_none_and_no_wait_for_a_close_is_zero() -> None:
    limits: dict[str, Any] = dict.fromkeys(("ping_interval", "ping_timeout", "message_timeout", "write_timeout"))
    assert Settings(close_timeout=0, **limits).ping_interval is None
