"""The signals of the supervisor, as numbers to be read."""

import os
import select
import signal
from collections.abc import Iterator

import pytest

from greening.wsgi.command import signals
from greening.wsgi.command.signals import Signals, ignore, signal_name


@pytest.fixture
def taken() -> Iterator[Signals]:
    before = {number: signal.getsignal(number) for number in signals._NUMBERS}
    one = Signals()
    yield one
    one.close()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_they_are_read_in_their_order(taken: Signals) -> None:
    assert select.select([taken], [], [], 0)[0] == []
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGTTIN)
    assert select.select([taken], [], [], 10)[0] == [taken]
    assert list(taken.read()) == [signal.SIGUSR1, signal.SIGTTIN]


def test_none_arrives_during_a_fork(taken: Signals) -> None:
    with taken.blocked():
        os.kill(os.getpid(), signal.SIGHUP)
        assert select.select([taken], [], [], 0)[0] == []
    assert list(taken.read()) == [signal.SIGHUP]


def test_the_handlers_stay_at_the_end(taken: Signals) -> None:
    taken.close()
    taken.close()
    os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is ignore


def test_a_new_process_ends_at_sigterm_and_ignores_what_is_for_the_supervisor(taken: Signals) -> None:
    taken.forget()
    assert signal.getsignal(signal.SIGTERM) is not ignore
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGTTOU):
        assert signal.getsignal(number) is ignore


def test_names() -> None:
    assert signal_name(signal.SIGKILL) == "SIGKILL"
    assert signal_name(signal.SIGRTMIN + 1) == f"signal {signal.SIGRTMIN + 1}"
