"""What a client may cost: which numbers make no sense."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from greening.wsgi.limits import Limits


@pytest.mark.parametrize("bad", [{"head": 0}, {"body_timeout": -1}, {"fields": 0}, {"linger_timeout": -1}])
def test_limits_that_are_none(bad: Any) -> None:
    with pytest.raises(ValueError):
        Limits(**bad)


@pytest.mark.parametrize("name", ["head_timeout", "idle_timeout", "body_timeout", "write_timeout"])
def test_a_time_may_be_unlimited(name: str) -> None:
    assert getattr(Limits(**{name: None}), name) is None


@pytest.mark.parametrize("name", ["linger_timeout", "drain"])
def test_some_things_need_not_be_done_at_all(name: str) -> None:
    assert getattr(Limits(**{name: 0}), name) == 0


def test_every_limit_is_described_and_none_can_be_changed_later() -> None:
    limits = Limits()
    for field in fields(limits):
        assert f"{field.name}:" in (Limits.__doc__ or "")
        with pytest.raises(FrozenInstanceError):
            setattr(limits, field.name, 1)


def test_a_limit_that_is_text_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"^body_timeout is a number or None, not '3'$"):
        Limits(body_timeout="3")  # type: ignore[arg-type]  # on purpose
