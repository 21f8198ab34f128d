"""From the command line to the table. Status 0: the promises hold; 1: one does not; 2: it cannot be tried here."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic, sleep

from attacks.attacks import ATTACKS, GREENING, Attack
from attacks.server import COMMANDS, CannotAttack, attacked, serving

PAUSE = 0.02  # seconds between honest clients
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What an attack cost. Megabytes, CPU as a part of one core, seconds."""

    before: float
    peak: float
    cpu: float
    wait: float
    longest: float

    def broken(self, attack: Attack) -> list[str]:
        """The promises that do not hold."""
        found = []
        if self.wait > attack.wait:
            found.append(f"an honest client waits {self.wait:.3f} s, {attack.wait} are promised")
        if self.longest > attack.longest:
            found.append(f"one honest client waited {self.longest:.3f} s, {attack.longest} are promised")
        if self.peak - self.before > attack.memory:
            found.append(f"{self.peak - self.before:.0f} MB more, {attack.memory} are promised")
        return found


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        prog="scripts/attack",
        description="Attack a server process of its own, on loopback, with each kind of hostile clients in turn. It "
        "prints the server's memory before and at its peak, its CPU, and the wait of honest clients, new ones each "
        "time. SECURITY.md says what is promised.",
        epilog="attacks:\n" + "\n".join(f"  {one.name:24s}{one.count:5d} {one.what}" for one in ATTACKS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help="which (default: all that apply)")
    parser.add_argument("--server", default=GREENING, choices=list(COMMANDS), help=f"default: {GREENING}")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each attack is watched (default: 5)")
    given = parser.parse_args()
    if unknown := set(given.attacks) - {one.name for one in ATTACKS}:
        parser.error(f"no such attack: {', '.join(sorted(unknown))}")
    chosen = [one for one in ATTACKS if given.server in one.servers and one.name in (given.attacks or one.name)]
    try:
        return run(given.server, chosen, given.seconds)
    except CannotAttack as error:
        print(f"scripts/attack: {error}", file=sys.stderr)
        return 2


def run(server: str, attacks: list[Attack], seconds: float) -> int:
    """Attack, print a line for each attack, and say which promises do not hold. Raises: CannotAttack."""
    print(f"{server}, one worker process; each attack for {seconds:g} s")
    columns = ("clients", "MB before", "MB peak", "CPU", "wait, median", "wait, longest")
    print(f"{'attack':24s}" + "".join(f"{column:>15s}" for column in columns))
    broken = []
    with certificate(any(one.tls for one in attacks)) as pem:
        for attack in attacks:
            cost = measure(server, attack, seconds, pem if attack.tls else None)
            cells = (
                f"{attack.count}",
                f"{cost.before:.0f}",
                f"{cost.peak:.0f}",
                f"{cost.cpu:.0%}",
                f"{cost.wait:.3f} s",
                f"{cost.longest:.3f} s",
            )
            print(f"{attack.name:24s}" + "".join(f"{cell:>15s}" for cell in cells), flush=True)
            broken += [f"{attack.name}: {what}" for what in cost.broken(attack)]
    print("\n".join(broken) or "the promises hold")
    return 1 if broken else 0


@contextmanager
def certificate(wanted: bool) -> Iterator[Path | None]:
    """A file with a key and a certificate for localhost, if it is wanted. Raises: CannotAttack."""
    if not wanted:
        yield None
        return
    try:
        import trustme
    except ImportError:
        raise CannotAttack("trustme is not installed, which makes the certificate") from None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pem"
        trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(path)
        yield path


def measure(kind: str, attack: Attack, seconds: float, pem: Path | None) -> Cost:
    """Attack a fresh server. Raises: CannotAttack."""
    with serving(kind, pem) as server:
        before = peak = server.memory()
        with attacked(attack.name, server.port, attack.count):
            began, cpu = monotonic(), server.cpu()
            waits: list[float] = []
            while monotonic() - began < seconds or not waits:
                waits.append(server.honest_wait())
                peak = max(peak, server.memory())
                sleep(PAUSE)
            used = (server.cpu() - cpu) / (monotonic() - began)
    return Cost(before / MEGABYTE, peak / MEGABYTE, used, median(waits), max(waits))


if __name__ == "__main__":
    sys.exit(main())
