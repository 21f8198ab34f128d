"""The hub as the guest of a loop that waits by itself. (The loops here do: nothing is patched.)"""

import asyncio

import pytest

import greening
from greening._core.current import get_hub
from greening.interop.guest import GUESTS, arrive, depart
from greening.patches import asyncio as patch


@pytest.fixture(autouse=True)
def _slots():
    patch.install(__name__)
    yield
    patch._users.discard(__name__)
    patch._uninstall()
    assert not GUESTS
    assert get_hub().awake_ident


def test_a_green_thread_runs_while_the_loop_waits() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        guest = arrive(loop)
        done = loop.create_future()
        greening.spawn(lambda: done.set_result(greening.sleep(0.001)))
        await asyncio.wait_for(done, 10)
        depart(guest)

    asyncio.run(main())


def test_what_was_runnable_before_the_guest_came_runs() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        greening.spawn(done.set_result, 1)
        guest = arrive(loop)
        assert await asyncio.wait_for(done, 10) == 1
        depart(guest)

    asyncio.run(main())


def test_a_green_thread_is_woken_by_a_coroutine() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        guest = arrive(loop)
        event, begun, done = greening.Event(), loop.create_future(), loop.create_future()
        greening.spawn(lambda: (begun.set_result(None), done.set_result(event.wait())))
        await asyncio.wait_for(begun, 10)
        event.send("woken")
        assert await asyncio.wait_for(done, 10) == "woken"
        depart(guest)

    asyncio.run(main())


def test_the_guest_stays_until_the_last_visit_ends() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        guest = arrive(loop)
        assert arrive(loop) is guest
        depart(guest)
        assert GUESTS.get(loop) is guest
        depart(guest)
        assert not GUESTS

    asyncio.run(main())


def test_a_hub_is_the_guest_of_one_loop_at_a_time() -> None:
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    guest = arrive(first)
    assert arrive(second) is None
    depart(guest)
    other = arrive(second)
    assert other is not None
    depart(other)
    first.close()
    second.close()


def test_a_loop_that_is_closed_already_is_left_all_the_same() -> None:
    loop = asyncio.new_event_loop()
    guest = arrive(loop)
    loop.close()
    depart(guest)


def test_a_kill_that_meets_the_guest_stops_the_loop_and_is_kept() -> None:
    errors = []

    def run() -> None:
        loop = asyncio.new_event_loop()
        guest = arrive(loop)
        guest.stays = True
        greening.spawn(me.kill)
        loop.run_forever()
        errors.append(guest.fatal)
        depart(guest)
        loop.close()

    me = greening.spawn(run)
    me.wait(10)
    assert isinstance(errors[0], greening.GreenletExit)
