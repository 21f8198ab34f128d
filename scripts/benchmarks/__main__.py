"""From the command line to the table. Status 0: measured; 1: a peer broke in a row; 2: could not measure at all."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.environment import Machine, build, commit_of, describe, install, prepare
from benchmarks.ext_rows import EXT
from benchmarks.measure import Result, measure
from benchmarks.options import Options, parse
from benchmarks.peers import BASE, PEERS, PURE
from benchmarks.processes import BenchError
from benchmarks.report import earlier_lines, mark_lines, row_lines, write_json
from benchmarks.rows import ROWS


def main() -> int:
    """Run it."""
    options = parse(sys.argv[1:])
    if options.list:
        return show_lists()
    try:
        return run(options)
    except BenchError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 2


def run(options: Options) -> int:
    """Measure the chosen rows, printing each when it is done; an interrupt ends it with what there is."""
    if options.against is not None:
        build(options.against)
    machine = prepare(options.peers, options.rows)
    for name, reason in machine.missing.items():
        print(f"without {name}: {reason}")
    about = describe(machine)
    print(f"{about['cpu']}, Linux {about['kernel']}, CPython {about['python']}, commit {about['commit']}")
    if options.against is not None:
        about["against"] = commit_of(options.against)
        print(f"before: commit {about['against']}, {options.against}")
    print(", ".join(f"{name} {version}" for name, version in machine.versions.items()))
    print(f"rounds: {options.rounds}, {options.seconds} s each; load average before: {about['load_average']:.2f}\n")
    results: list[Result] = []
    status = 0
    try:
        for row in options.rows:
            result = measure(machine, row, options.peers, options.rounds, options.seconds)
            if not result.samples and not result.failed and not result.skipped:
                continue
            results.append(result)
            print("\n".join(row_lines(result)) + "\n", flush=True)
            status |= bool(result.failed)
    except KeyboardInterrupt:
        print("interrupted; the rows above are whole", file=sys.stderr)
        status = 130
    if marks := list(mark_lines(results, PURE not in machine.missing)):
        print("marks (median of the rounds):", *marks, "", sep="\n")
    if changes := list(earlier_lines(results)):
        print("this checkout over the one before (median of the rounds, pair by pair):", *changes, "", sep="\n")
    print(*(f"note: {note}" for note in machine.notes), sep="\n", end="\n" if machine.notes else "")
    if options.json is not None:
        write_json(options.json, about, results)
        print(f"written: {options.json}")
    if options.plot is not None:
        plot(machine, options.plot, about, results)
        print(f"drawn: {options.plot}")
    return status


def plot(machine: Machine, picture: Path, about: dict[str, object], results: list[Result]) -> None:
    """Have the table drawn by the environment's Python, which gets matplotlib only for this."""
    install(machine, ["matplotlib"])
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        write_json(Path(file.name), about, results)
        command = [str(machine.python), "-m", "benchmarks.draw", file.name, str(picture)]
        done = subprocess.run(command, env=machine.variables(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"cannot draw {picture}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")


def show_lists() -> int:
    """Print what can be asked for."""
    print("rows:", *(f"  {row.name:<22} {row.title}" for row in ROWS), sep="\n")
    print("rows of --ext:", *(f"  {row.name:<22} {row.title}" for row in EXT), sep="\n")
    print("peers:", *(f"  {peer.name:<22} {peer.about}" for peer in PEERS), sep="\n")
    print(f"ratios are to {BASE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
