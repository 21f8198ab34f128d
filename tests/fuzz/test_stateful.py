"""Clients are answered as if each were the first one."""

import os
import random
import subprocess
import sys
from inspect import getclosurevars
from typing import Any

import pytest

from tests.fuzz import served
from tests.fuzz.requests import Step, connections
from tests.fuzz.served import ROOT, Fresh, Served
from tests.fuzz.stateful import run

GET = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_a_server_that_has_seen_much_answers_as_a_fresh_one(seed: int) -> None:
    outcome = run(seed, 400)
    assert "\n".join(map(str, outcome.differences)) == ""
    assert outcome.connections > 100


@pytest.mark.slow
def test_a_difference_is_found_and_reduced_to_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an application that keeps the cookies of its clients."""
    cookies: list[str] = []

    def forgetful(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        cookies.append(environ.get("HTTP_COOKIE", ""))
        start_response("200 OK", [("Content-Length", str(len(cookies[0])))])
        return [cookies[0].encode()]

    monkeypatch.setattr(served, "application", forgetful)
    # The forks have to have it, too: they are those of this process.
    monkeypatch.setattr("tests.fuzz.stateful.Fresh", Forks)
    (difference,) = run(1, 200).differences
    assert {step.connection for step in difference.steps} > {difference.connection}
    assert len({step.connection for step in difference.steps}) == 2
    assert difference.fresh != difference.got
    assert f"connection {difference.connection} was answered" in str(difference)


class Forks:
    """Stands for `Fresh`: a server in this process whose application has seen nobody."""

    def run(self, steps: list[Step]) -> dict[int, bytes]:
        kept = getclosurevars(vars(served)["application"]).nonlocals["cookies"]
        before = kept[:]
        kept.clear()
        try:
            with Served() as fresh:
                return fresh.run(steps)
        finally:
            kept[:] = before

    def __enter__(self) -> "Forks":
        return self

    def __exit__(self, *error: object) -> None: ...


def test_steps_are_the_same_for_the_same_seed_and_end_every_connection() -> None:
    steps = connections(random.Random(5), 300)
    assert steps == connections(random.Random(5), 300)
    ended = [step.connection for step in steps if step.end]
    assert sorted(ended) == sorted({step.connection for step in steps}) == list(range(len(ended)))
    assert {step.end for step in steps} == {"", "finish", "vanish"}


def test_clients_at_once_get_their_own_answers() -> None:
    steps = [
        Step(0, GET[:10]),
        Step(1, GET.replace(b"/echo", b"/echo?one"), "finish"),
        Step(2, b"GET /echo HTTP/1.1\r\n", "vanish"),
        Step(0, GET[10:] + GET.replace(b"/echo", b"/none")),
        Step(3, b"nonsense\r\n\r\n", "finish"),
        Step(0, b"GET", "finish"),
    ]
    with Served() as server:
        answers = server.run(steps)
        assert answers[0].count(b"HTTP/1.1 200 OK") == 1
        assert answers[0].count(b"HTTP/1.1 204 No Content") == 1
        assert b'"QUERY_STRING": "one"' in answers[1]
        assert answers[2] == b""
        assert answers[3].startswith(b"HTTP/1.1 400 ")
        assert server.run(steps) == answers


@pytest.mark.slow
def test_a_fresh_server_forgets() -> None:
    with Fresh() as fresh:
        first = fresh.run([Step(0, GET, "finish")])
        assert first[0].startswith(b"HTTP/1.1 200 OK")
        assert fresh.run([Step(0, GET, "finish")]) == first


@pytest.mark.slow
def test_the_program_prints_a_seed_and_ends_with_a_status() -> None:
    command = [sys.executable, "-m", "tests.fuzz", "handshakes", "frames", "--count", "5", "--seed", "3"]
    ran = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("seed 3\n")
    assert ran.stdout.count("nothing is wrong") == 2
    ran = subprocess.run([*command[:3], "nothing"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "no such target: nothing" in ran.stderr
