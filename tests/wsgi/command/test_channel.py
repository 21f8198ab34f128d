"""Messages between the supervisor and its children."""

import os
import socket
from collections.abc import Iterator

import pytest

from greening.wsgi.command.channel import BEAT, COPY, PID, READY, STOP, Child, pair


@pytest.fixture
def ends() -> Iterator[tuple[Child, socket.socket]]:
    ours, theirs = pair()
    with ours, theirs:
        yield Child(5, ours, 1), theirs


def test_messages_stay_apart(ends: tuple[Child, socket.socket]) -> None:
    child, theirs = ends
    theirs.send(READY)
    theirs.send(BEAT)
    assert child.heard() == [READY, BEAT]
    assert child.heard() == []
    child.tell(STOP)
    child.tell(STOP)
    assert theirs.recv(64) == STOP


def test_what_was_said_before_the_end_is_heard(ends: tuple[Child, socket.socket]) -> None:
    child, theirs = ends
    theirs.send(READY)
    theirs.close()
    assert child.heard() == [READY]
    assert child.channel.fileno() < 0
    assert child.heard() == []
    child.tell(STOP)  # there is nothing that could listen


def test_a_sign_of_life_is_noted(ends: tuple[Child, socket.socket]) -> None:
    child, theirs = ends
    child.beat = 0.0
    child.heard()
    assert child.beat == 0.0
    theirs.send(BEAT)
    child.heard()
    assert child.beat > 0.0


def test_a_child_of_another_process_tells_its_number(ends: tuple[Child, socket.socket]) -> None:
    child, theirs = ends
    child.pid = 0
    child.kill(0)  # no process, and above all not this one's group
    theirs.send(PID + b"%d" % os.getpid())
    theirs.send(READY)
    assert child.heard() == [READY]
    assert child.pid == os.getpid()


def test_a_template_that_does_not_listen_takes_no_order(ends: tuple[Child, socket.socket]) -> None:
    child, theirs = ends
    with socket.socket() as handed:
        assert child.order(handed)
        message, descriptors, _, _ = socket.recv_fds(theirs, 64, 1)
        assert message == COPY
        os.close(descriptors[0])
        theirs.close()
        assert not child.order(handed)


def test_a_child_that_does_not_read_does_not_stop_the_supervisor(ends: tuple[Child, socket.socket]) -> None:
    child, _ = ends
    for _ in range(10_000):
        child.tell(STOP)


def test_a_dead_child_is_killed_without_an_error() -> None:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    ours, theirs = pair()
    with ours, theirs:
        Child(pid, ours, 1).kill(9)
