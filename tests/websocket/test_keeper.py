"""`Keeper`: each thing is looked after when it is time, with one timer for all."""

import gc
from math import inf

from greening._core.waiting import sleep
from greening.testing import fake_time
from greening.websocket.keeper import Keeper, keeper


class Kept:
    """Something to look after, every `pause` seconds."""

    next_look = inf

    def __init__(self, pause: float = inf) -> None:
        self.pause = pause
        self.looks: list[float] = []

    def look_after(self, now: float) -> float:
        self.looks.append(round(now, 3))
        return now + self.pause


def test_each_is_looked_after_when_it_asked_for_it() -> None:
    with fake_time() as fake:
        begin = fake.clock.now()
        ours = keeper()
        often, seldom, never = Kept(10), Kept(25), Kept()
        for one in (often, seldom, never):
            ours.keep(one, begin + one.pause)
        sleep(51)
        assert often.looks == [round(begin + after, 3) for after in (10, 20, 30, 40, 50)]
        assert seldom.looks == [round(begin + after, 3) for after in (25, 50)]
        assert never.looks == []
        for one in (often, seldom, never):
            ours.release(one)


def test_one_timer_serves_all_and_none_is_left_when_the_last_one_goes() -> None:
    with fake_time() as fake:
        ours = keeper()
        all_of_them = [Kept(10 + number) for number in range(100)]
        for one in all_of_them:
            ours.keep(one, fake.clock.now() + one.pause)
        assert len(fake.hub.timers) == 1
        for one in all_of_them:
            ours.release(one)
        assert len(fake.hub.timers) == 0


def test_an_earlier_time_replaces_a_later_one() -> None:
    with fake_time() as fake:
        ours, one = keeper(), Kept()
        begin = fake.clock.now()
        ours.keep(one, begin + 20)
        ours.expect(one, begin + 5)
        ours.expect(one, begin + 15)
        sleep(30)
        assert one.looks == [round(begin + 5, 3)]
        ours.release(one)


def test_what_is_released_is_left_alone() -> None:
    with fake_time() as fake:
        ours, one, other = keeper(), Kept(5), Kept(5)
        for kept in (one, other):
            ours.keep(kept, fake.clock.now() + 5)
        ours.release(one)
        ours.expect(one, fake.clock.now() + 1)
        sleep(6)
        assert one.looks == []
        assert len(other.looks) == 1
        ours.release(other)


def test_what_is_forgotten_is_not_kept_alive() -> None:
    with fake_time() as fake:
        ours, one = keeper(), Kept(5)
        ours.keep(one, fake.clock.now() + 5)
        looks = one.looks
        del one
        gc.collect()
        sleep(6)
        assert looks == []
        assert len(fake.hub.timers) == 0


def test_many_that_are_due_do_not_keep_others_waiting() -> None:
    turns = []

    class Slow(Kept):
        def look_after(self, now: float) -> float:
            fake.clock.advance(0.0005)
            turns.append(now)
            return inf

    with fake_time() as fake:
        ours = keeper()
        all_of_them = [Slow() for _ in range(50)]
        for one in all_of_them:
            ours.keep(one, fake.clock.now() + 1)
        sleep(1)
        while len(turns) < 50:
            before = len(turns)
            sleep(0)
            assert len(turns) - before < 25
        for one in all_of_them:
            ours.release(one)


def test_each_hub_has_its_own() -> None:
    outside = keeper()
    with fake_time() as fake:
        inside = keeper()
        assert isinstance(inside, Keeper)
        assert inside is keeper()
        assert inside is not outside
        assert inside.hub is fake.hub
