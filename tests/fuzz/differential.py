"""The same requests to several servers; and victims behind a proxy that attackers share with them. By hand."""

import json
import random
import re
import socket
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from tests.fuzz.peers import running
from tests.fuzz.requests import request

PATIENCE = 1.5  # seconds for an answer to begin
QUIET = 0.1  # seconds without anything more, after which it has ended
EXAMPLES = 5  # of each kind
_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d)")


@dataclass(frozen=True)
class Answer:
    """What a server made of the first request. status: 0: nothing came. understood: method, path and body."""

    status: int
    understood: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether the application has seen it."""
        return bool(self.understood) or self.status in (204, 500)


def ask(port: int, raw: bytes) -> bytes:
    """What a server says to these bytes. The client stays: some servers give up one that has finished sending."""
    got = bytearray()
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock, suppress(OSError):
        with suppress(OSError):
            sock.sendall(raw)
        while data := sock.recv(65536):
            got += data
            sock.settimeout(QUIET)
    return bytes(got)


def understood(got: bytes) -> Answer:
    """The first answer that is none of 1xx."""
    found = _STATUS.search(got)
    if found is None:
        return Answer(0)
    body = got[found.end() :].partition(b"\r\n\r\n")[2]
    start = body.find(b"{")
    try:
        told = json.JSONDecoder().raw_decode(re.sub(rb"\r\n[0-9a-f]+\r\n", b"", body[start:]).decode())[0]
        return Answer(int(found[1]), (told["REQUEST_METHOD"], told["PATH_INFO"], told["body"]))
    except (ValueError, KeyError):
        return Answer(int(found[1]))


def compare(seed: int, count: int, servers: list[str], proxies: list[str]) -> int:
    """Run it, and print the tables. Returns 1 if a victim did not get its own answer. Raises: NoServer."""
    if servers:
        _compare_servers(random.Random(f"against {seed}"), count, ["greening", *servers])
    harmed = [victim for proxy in proxies for victim in _attack(random.Random(f"behind {seed}"), count, proxy)]
    for attack, got in harmed[:EXAMPLES]:
        print(f"after {attack!r}\n  a victim got {got[:300]!r}")
    return 1 if harmed else 0


def _compare_servers(rng: random.Random, count: int, names: list[str]) -> None:
    accepted: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    otherwise: Counter[str] = Counter()
    examples: dict[str, list[str]] = {"accepted here alone": [], "refused here alone": [], "understood otherwise": []}
    with ExitStack() as stack:
        ports = {name: stack.enter_context(running(name)) for name in names}
        for _ in range(count):
            raw = request(rng)
            answers = {name: understood(ask(port, raw)) for name, port in ports.items()}
            ours, *others = answers.values()
            for name, answer in answers.items():
                accepted[name] += answer.accepted
                refused[name] += answer.status >= 400 and not answer.accepted
                differs = bool(ours.understood and answer.understood) and ours.understood != answer.understood
                otherwise[name] += differs
                if differs:
                    examples["understood otherwise"].append(
                        f"{name}: {answer.understood} here {ours.understood}: {raw!r}"
                    )
            if all(one.accepted != ours.accepted for one in others):
                examples["accepted here alone" if ours.accepted else "refused here alone"].append(repr(raw))
    print(f"{'':12s}{'accepted':>10s}{'refused':>10s}{'silent':>10s}{'understood otherwise':>24s}")
    for name in names:
        silent = count - accepted[name] - refused[name]
        print(f"{name:12s}{accepted[name]:10d}{refused[name]:10d}{silent:10d}{otherwise[name]:24d}")
    for kind, found in examples.items():
        print(f"{kind}: {len(found)}")
        for one in found[:EXAMPLES]:
            print(f"  {one[:400]}")


def _attack(rng: random.Random, count: int, proxy: str) -> list[tuple[bytes, bytes]]:
    """Attacks and victims in turn, through one proxy. Returns attacks, each with the wrong answer to its victim."""
    harmed = []
    with running("greening", behind=proxy) as port:
        for number in range(count):
            attack = b"".join(request(rng) for _ in range(rng.choice((1, 1, 2))))
            ask(port, attack)
            got = ask(port, b"GET /echo?victim=%d HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % number)
            if not got.startswith(b"HTTP/1.1 200 ") or b'"QUERY_STRING": "victim=%d"' % number not in got:
                harmed.append((attack, got))
    print(f"behind {proxy}: {count} attacks, {len(harmed)} of as many victims harmed")
    return harmed
