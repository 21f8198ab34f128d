"""IPython and kernels of Jupyter: real ones, asked by a real client."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.test_architecture import ROOT

AT_ONCE = """
import threading, time
begin = time.monotonic()
threads = [threading.Thread(target=time.sleep, args=(0.2,)) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(greening.is_monkey_patched("thread"), time.monotonic() - begin < 1.5)
"""

TICKS = """
ticks = []
four = threading.Event()
def tick():
    while True:
        ticks.append(time.sleep(0.01))
        if len(ticks) == 4: four.set()
ticker = greening.spawn(tick)
"""


@contextmanager
def kernel(*before: str) -> Iterator[Callable[[str], str]]:
    """A kernel, started by `python {before} -m ipykernel_launcher`. Call what you get with a cell for its output."""
    pytest.importorskip("ipykernel")
    manager = pytest.importorskip("jupyter_client.manager").KernelManager()
    spec = pytest.importorskip("jupyter_client.kernelspec").KernelSpec
    command = [sys.executable, *before, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager._kernel_spec = spec(argv=command, display_name="test", language="python")
    manager.start_kernel(cwd=str(ROOT), stderr=subprocess.DEVNULL)
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=40)

        def run(cell: str) -> str:
            said: list[str] = []

            def keep(message: dict[str, Any]) -> None:
                said.append(str(message["content"].get("text") or message["content"].get("evalue") or ""))

            reply = client.execute_interactive(cell, timeout=40, output_hook=keep)
            assert reply["content"]["status"] == "ok", said
            return "".join(said)

        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_a_kernel_that_is_patched_from_the_start_answers() -> None:
    with kernel("-m", "greening") as run:
        assert run(f"import greening{AT_ONCE}") == "True True\n"


@pytest.mark.slow
def test_the_extension_patches_a_kernel_that_runs() -> None:
    with kernel() as run:
        run("%load_ext greening")
        assert run(AT_ONCE) == "True True\n"
        run(TICKS)
        assert run("print(four.wait(20), ticker.kill())") == "True None\n"
        run("%unload_ext greening")
        assert run("print(greening.is_monkey_patched('thread'))") == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize("before", [(), ("-m", "greening")], ids=["a cell patches", "patched from the start"])
def test_green_threads_run_while_no_cell_does(before: tuple[str, ...]) -> None:
    with kernel(*before) as run:
        run("import greening; greening.monkey_patch()\nimport threading, time")
        run(TICKS)
        # Each of these is over at once, and the kernel waits for the next.
        while int(run("print(len(ticks))")) < 10:
            pass
        run("ticker.kill()")


@pytest.mark.slow
def test_ipython_takes_the_extension(run_program, tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    program = "import sys\nfrom IPython import start_ipython\nstart_ipython(argv=sys.argv[1:])\n"
    code = "get_ipython().run_line_magic('load_ext', 'greening'); " + AT_ONCE.strip().replace("\n", "\n")
    done = run_program(program, "--quick", "--no-banner", "-c", code, env={"IPYTHONDIR": str(tmp_path)}, timeout=60)
    assert "True True" in done.stdout


def test_the_example_of_the_page(run_page) -> None:
    run_page("ipython")
