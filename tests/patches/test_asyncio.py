"""asyncio beside green threads."""

import asyncio

import pytest

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


def test_the_engine_asks_nobody_until_asyncio_is_patched(run_program) -> None:
    run_program(
        "import greening\n"
        "from greening._core.slots import SLOTS\n"
        "greening.monkey_patch()\n"
        "assert SLOTS.busy is None\n"
        "import asyncio\n"
        "assert SLOTS.busy is asyncio._get_running_loop\n"
        "greening.unpatch()\n"
        "assert SLOTS.busy is None\n"
    )
