"""asyncio beside green threads."""

import asyncio
import sys

import pytest

import greening
from greening.patches import asyncio as patch


@pytest.mark.slow
def test_loops_run_in_many_green_threads_at_once_and_do_not_see_each_other(run_program) -> None:
    run_program("asyncio_beside_green.py")


def test_a_parked_loop_leaves_the_slots_of_the_thread_empty() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        state = patch._save(loop)
        assert asyncio._get_running_loop() is None
        patch._restore(state)
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task

    asyncio.run(main())


def test_a_parked_loop_takes_its_debug_mode_and_its_generator_hooks_with_it() -> None:
    def settings():
        return sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()

    outside = settings()

    async def main() -> None:
        inside = settings()
        assert inside != outside
        state = patch._save(asyncio.get_running_loop())
        assert settings() == ((None, None), 0)
        patch._restore(state)
        assert settings() == inside

    asyncio.run(main(), debug=True)
    assert settings() == outside


def test_the_slots_come_back_when_a_park_raises() -> None:
    async def main() -> None:
        task = asyncio.current_task()
        with pytest.raises(ValueError, match="nan"):
            greening.Event().wait(float("nan"))
        with pytest.raises(greening.Timeout), greening.Timeout(0.001):
            greening.Event().wait()
        assert asyncio.current_task() is task

    patch.install("a test")
    try:
        asyncio.run(main())
    finally:
        patch._users.discard("a test")
        patch._uninstall()


def test_the_engine_asks_no_loop_until_asyncio_is_patched(run_program) -> None:
    run_program(
        "import greening\n"
        "from greening._core.asyncio_state import ASYNCIO\n"
        "greening.monkey_patch()\n"
        "assert ASYNCIO.busy is None\n"
        "import asyncio\n"
        "assert ASYNCIO.busy is asyncio._get_running_loop\n"
        "greening.unpatch()\n"
        "assert ASYNCIO.busy is None\n"
    )


def test_kills_and_timeouts_end_the_loop_and_only_that(run_program) -> None:
    run_program("asyncio_kills.py")


@pytest.mark.slow
def test_a_loop_that_never_waits_lets_green_threads_run(run_program) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
import asyncio, threading
async def main():
    thread = threading.Thread(target=greening.sleep, args=(0.001,))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0)
asyncio.run(main())
"""
    )
