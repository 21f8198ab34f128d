"""Messages between the supervisor and its children."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from greening.wsgi.command import channel
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
    theirs.send(PID)
    theirs.send(READY)
    assert child.heard() == [READY]
    assert child.pid == os.getpid()


def test_a_child_has_one_number_for_good(ends: tuple[Child, socket.socket]) -> None:
    child, theirs = ends
    theirs.send(PID)
    child.heard()
    assert child.pid == 5


@pytest.mark.parametrize("message", [b"pid 1", b"pid x", b"\xff" * 1000])
def test_no_message_of_a_child_names_a_process_or_does_harm(ends: tuple[Child, socket.socket], message: bytes) -> None:
    child, theirs = ends
    child.pid = 0
    theirs.send(message)
    child.heard()
    assert child.pid == 0


def test_descriptors_that_a_child_sends_are_not_kept(ends: tuple[Child, socket.socket]) -> None:
    child, theirs = ends
    reader, writer = os.pipe()
    socket.send_fds(theirs, [BEAT], [writer])
    os.close(writer)
    assert child.heard() == [BEAT]
    assert os.read(reader, 1) == b""  # nobody has the other end
    os.close(reader)


def test_a_child_that_never_stops_talking_is_not_listened_to_for_ever(
    ends: tuple[Child, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_MOST", 3)
    child, theirs = ends
    for _ in range(5):
        theirs.send(BEAT)
    assert [len(child.heard()) for _ in range(3)] == [3, 2, 0]


def test_a_process_that_is_no_child_is_not_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append(pid))
    own = os.posix_spawn("/bin/true", ["true"], {})
    ours, theirs = pair()
    with ours, theirs:
        for pid in (os.getppid(), own):
            Child(pid, ours, 1).kill(signal.SIGKILL)
    os.waitpid(own, 0)
    assert killed == [own]


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
