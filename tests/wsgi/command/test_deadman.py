"""The switch that ends a process which computes without end."""

import signal
import subprocess
import sys

import pytest

from tests.wsgi.processes import ROOT


def run(program: str) -> subprocess.CompletedProcess[str]:
    text = "import re, time\nfrom greening.wsgi.command.deadman import DeadMan\n" + program
    environ = {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", text], env=environ, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("spin", ["while True: pass", "re.match('(a+)+$', 'a' * 60 + 'b')"])
def test_who_computes_without_winding_it_ends(spin: str) -> None:
    assert run(f"DeadMan(0.1).wind()\n{spin}").returncode == -signal.SIGABRT


@pytest.mark.slow
def test_who_winds_it_goes_on_and_time_that_is_slept_does_not_count() -> None:
    program = """
switch = DeadMan(0.1)
switch.wind()
began = time.process_time()
while time.process_time() - began < 1.5:
    switch.wind()
time.sleep(1.3)
print("here")
"""
    assert run(program).stdout == "here\n"
