"""Threads of libraries that are OS threads in a patched process."""

import pytest

HEAD = """
import greening
greening.monkey_patch()
import threading
from greening.ext.native_start import start_natively
native_id = threading.get_native_id()
class Kept(threading.Thread):
    start = start_natively
"""


def test_it_is_an_os_thread_and_known_to_threading(run_program) -> None:
    done = run_program(
        HEAD + "seen = []\nend = greening.original('threading').Event()\n"
        "def work():\n    seen.append((threading.current_thread(), threading.get_native_id()))\n    end.wait()\n"
        "thread = Kept(target=work, name='kept')\nthread.start()\n"
        "assert thread in threading.enumerate() and thread.is_alive()\n"
        "while not seen: greening.sleep(0.001)\n"
        "assert seen[0][0] is thread and seen[0][1] != native_id\nend.set()\n"
        "while thread in threading.enumerate(): greening.sleep(0.001)\n"
        "while thread.is_alive(): greening.sleep(0.001)\nthread.join()\n"
    )
    assert not done.stderr


def test_what_waits_in_c_holds_up_nobody(run_program) -> None:
    run_program(
        HEAD + "import time\nbegin = time.monotonic()\n"
        "Kept(target=greening.original('time').sleep, args=(20,), daemon=True).start()\n"
        "greening.sleep(0.01)\nassert time.monotonic() - begin < 10\n"
    )


def test_no_other_green_thread_runs_before_it_has_started(run_program) -> None:
    run_program(
        HEAD + "import time\nseen = []\ngreening.spawn(seen.append, 1)\n"
        "thread = Kept(target=int, daemon=True)\n"
        "until = time.monotonic() + 0.1\nwhile time.monotonic() < until: pass  # its slice is over\nthread.start()\n"
        "assert not seen and thread._started.is_set()\n"
    )


def test_the_end_of_the_interpreter_does_not_wait_for_it(run_program) -> None:
    done = run_program(HEAD + "Kept(target=greening.original('time').sleep, args=(20,)).start()\n")
    assert not done.stderr


def test_it_starts_once(run_program) -> None:
    done = run_program(HEAD + "thread = Kept()\nthread.start()\nthread.start()\n", check=False)
    assert "RuntimeError: threads can only be started once" in done.stderr


@pytest.mark.parametrize("before", ["", "import greening\ngreening.monkey_patch()\n"])
def test_other_threads_stay_green(before: str, run_program) -> None:
    run_program(
        before + HEAD + "Kept().start()\nseen = []\n"
        "thread = threading.Thread(target=lambda: seen.append(threading.get_native_id()))\nthread.start()\n"
        "thread.join()\nassert seen == [native_id]\n"
    )
