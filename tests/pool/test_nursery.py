"""A nursery: nothing outlives its block, and nothing that was raised in it is lost."""

from collections.abc import Callable
from random import Random
from subprocess import CompletedProcess
from threading import Thread

import pytest

from greening._core.current import current
from greening._core.greenthread import GreenThread, spawn
from greening._core.shield import shield, shields
from greening._core.waiting import sleep
from greening.errors import Cancelled, GreenletExit
from greening.pool.nursery import nursery
from greening.sync.event import Event
from greening.testing import Fake, settle
from greening.timeout import Timeout

pytestmark = pytest.mark.usefixtures("fake")


class Log(list[str]):
    """What happened. `sleeper` notes how a long sleep ended."""

    def sleeper(self, name: str = "sleeper", cleanup: float = 0) -> None:
        try:
            sleep(1000)
        except BaseException as error:
            sleep(cleanup)
            self.append(f"{name}: {type(error).__name__}")
            raise


def fail(seconds: float = 1, error: BaseException | None = None) -> None:
    sleep(seconds)
    raise error or ValueError("no")


def errors_of(group: BaseExceptionGroup[BaseException]) -> list[str]:
    return [repr(error) for error in group.exceptions]


# -- The end of the block ----------------------------------------------------------------------------------------------


def test_the_block_ends_when_all_have_ended_and_the_results_are_theirs() -> None:
    with nursery() as n:
        threads = [n.spawn(divmod, 7, 2), n.spawn(lambda: sleep(5) or "late")]
        child = n.spawn(lambda: n.spawn(sleep, 9))
    assert [thread.wait() for thread in threads] == [(3, 1), "late"]
    assert child.wait().dead


def test_an_empty_block_ends_at_once() -> None:
    with nursery():
        pass


def test_arguments_of_any_name_are_the_functions_own() -> None:
    with nursery() as n:
        thread = n.spawn(dict, func=1, function=2, self=3)
    assert thread.wait() == {"func": 1, "function": 2, "self": 3}


@pytest.mark.parametrize("begun", [True, False])
def test_after_the_block_and_before_it_nothing_can_be_spawned(begun: bool) -> None:
    n = nursery()
    if begun:
        with n:
            pass
    for call in (lambda: n.spawn(sleep), n.cancel):
        with pytest.raises(RuntimeError, match="this nursery is not open"):
            call()


def test_a_nursery_is_good_for_one_block() -> None:
    with nursery() as n, pytest.raises(RuntimeError, match="good for one block"), n:
        pass


# -- Failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [lambda: None, lambda: sleep(500)], ids=["body-at-its-end", "body-waits"])
def test_one_that_fails_cancels_the_others_and_the_block_and_is_raised(body: Callable[[], object]) -> None:
    log = Log()
    with pytest.raises(ExceptionGroup) as caught, nursery() as n:
        n.spawn(log.sleeper)
        n.spawn(fail)
        body()
    assert errors_of(caught.value) == ["ValueError('no')"]
    assert log == ["sleeper: Cancelled"]


def test_an_exception_of_the_block_cancels_them_and_is_raised_in_a_group() -> None:
    log = Log()
    with pytest.raises(ExceptionGroup) as caught, nursery() as n:
        n.spawn(log.sleeper)
        sleep(1)
        raise KeyError("body")
    assert errors_of(caught.value) == ["KeyError('body')"]
    assert log == ["sleeper: Cancelled"]


def test_what_is_raised_while_they_end_is_in_the_group() -> None:
    def cleanup() -> None:
        try:
            sleep(100)
        finally:
            raise OSError("in the clean-up")

    with pytest.raises(ExceptionGroup) as caught, nursery() as n:
        n.spawn(cleanup)
        n.spawn(fail)
    assert errors_of(caught.value) == ["ValueError('no')", "OSError('in the clean-up')"]


def test_an_exception_that_the_block_has_from_a_green_thread_is_there_once() -> None:
    with pytest.raises(ExceptionGroup) as caught, nursery() as n:
        thread = n.spawn(fail)
        with shield():
            thread.wait()
    assert errors_of(caught.value) == ["ValueError('no')"]


def test_one_that_is_killed_has_not_failed() -> None:
    log = Log()
    with nursery() as n:
        victim = n.spawn(log.sleeper)
        n.spawn(lambda: log.append("other"))
        sleep(1)
        victim.kill()
    assert log == ["other", "sleeper: GreenletExit"]


def test_a_timeout_of_a_green_thread_is_a_failure() -> None:
    def too_slow() -> None:
        with Timeout(1):
            sleep(5)

    with pytest.raises(BaseExceptionGroup) as caught, nursery() as n:
        n.spawn(too_slow)
    assert [type(error) for error in caught.value.exceptions] == [Timeout]


def test_cancelled_says_why() -> None:
    seen: list[str] = []

    def work() -> None:
        try:
            sleep(100)
        except Cancelled as error:
            seen.append(str(error))
            raise

    with pytest.raises(ExceptionGroup), nursery() as n:
        n.spawn(work)
        n.spawn(fail).name = "the failing one"
    assert seen == ["the failing one of the same nursery has failed: ValueError('no')"]


def test_one_that_ignores_its_cancellation_is_waited_for() -> None:
    ended: list[str] = []

    def stubborn() -> None:
        for _ in range(2):
            try:
                sleep(10)
            except Cancelled:
                ended.append("caught")
        ended.append("stubborn")

    with pytest.raises(ExceptionGroup), nursery() as n:
        n.spawn(stubborn)
        n.spawn(fail)
    assert ended == ["caught", "stubborn"]


def test_one_that_is_spawned_while_all_are_cancelled_never_begins() -> None:
    began: list[int] = []

    def late() -> None:
        try:
            sleep(100)
        finally:
            n.spawn(began.append, 1)

    with pytest.raises(ExceptionGroup), nursery() as n:
        n.spawn(late)
        n.spawn(fail)
    assert began == []


# -- From outside ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [lambda: None, lambda: sleep(500)], ids=["body-at-its-end", "body-waits"])
def test_a_timeout_around_it_cancels_all_waits_for_them_and_is_itself(body: Callable[[], object]) -> None:
    log = Log()
    with pytest.raises(Timeout) as caught, Timeout(3) as timeout, nursery() as n:
        n.spawn(log.sleeper, "slow", cleanup=7)
        body()
    assert caught.value is timeout
    assert log == ["slow: Cancelled"]


def test_a_kill_cancels_all_and_is_itself() -> None:
    log = Log()

    def host() -> None:
        with nursery() as n:
            n.spawn(log.sleeper)

    thread = spawn(host)
    sleep(1)
    thread.kill()
    with pytest.raises(GreenletExit) as caught:
        thread.wait()
    assert type(caught.value) is GreenletExit
    assert log == ["sleeper: Cancelled"]


def test_ctrl_c_cancels_all_and_is_itself() -> None:
    log, main = Log(), current()
    spawn(lambda: sleep(1) or main.interrupt(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt), nursery() as n:
        n.spawn(log.sleeper)
    assert log == ["sleeper: Cancelled"]


REPORTS = """
import greening

def fail(error):
    try:
        greening.sleep(0.01)
    finally:
        raise error

try:
    with greening.nursery() as n:
        n.spawn(fail, ValueError("in the group"))
except* ValueError as group:
    print(group.exceptions)
with greening.Timeout(0.001, False), greening.nursery() as n:
    n.spawn(fail, OSError("in the clean-up"))
"""


def test_what_they_raise_when_it_is_interrupted_is_reported_and_nothing_else(
    run_program: Callable[..., CompletedProcess[str]],
) -> None:
    done = run_program(REPORTS)
    assert done.stdout == "(ValueError('in the group'),)\n"
    assert done.stderr.count("Exception in thread ") == 1
    assert done.stderr.endswith("OSError: in the clean-up\n")


def test_a_second_interruption_while_they_end_is_not_lost() -> None:
    log = Log()

    def host() -> None:
        with Timeout(1, False), nursery() as n:
            n.spawn(log.sleeper, "slow", cleanup=9)
        log.append("after the block")
        sleep(1)
        log.append("never")

    thread = spawn(host)
    sleep(2)
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()
    assert log == ["slow: Cancelled", "after the block"]


# -- Nested, and cancelled by hand -------------------------------------------------------------------------------------


def test_a_nursery_in_a_green_thread_of_another_is_cancelled_with_it() -> None:
    log = Log()

    def inner() -> None:
        with nursery() as n:
            n.spawn(log.sleeper, "inner")

    with pytest.raises(ExceptionGroup) as caught, nursery() as outer:
        outer.spawn(inner)
        outer.spawn(fail)
    assert errors_of(caught.value) == ["ValueError('no')"]
    assert log == ["inner: Cancelled"]


def test_a_group_of_an_inner_nursery_is_an_exception_of_the_outer_one() -> None:
    with pytest.raises(ExceptionGroup) as caught, nursery(), nursery() as inner:
        inner.spawn(fail)
    assert caught.group_contains(ValueError, depth=2)


def test_cancel_ends_all_and_the_block_without_an_error() -> None:
    log = Log()
    with nursery() as n:
        n.spawn(log.sleeper)
        sleep(1)
        n.cancel()
        n.cancel()
        sleep(1000)
        log.append("never")
    assert log == ["sleeper: Cancelled"]
    assert repr(n).endswith(" cancelled running=0>")


def test_a_green_thread_may_cancel_all_and_itself() -> None:
    log = Log()

    def child() -> None:
        n.cancel()
        log.append("goes on to its next wait")
        log.sleeper("child")

    with nursery() as n:
        n.spawn(log.sleeper)
        n.spawn(child)
    assert sorted(log) == ["child: Cancelled", "goes on to its next wait", "sleeper: Cancelled"]


def test_a_cancellation_does_not_reach_the_code_behind_the_block() -> None:
    with nursery() as n:
        n.cancel()
    sleep(1)
    with shield():
        with pytest.raises(ExceptionGroup), nursery() as n:
            n.spawn(fail)
            sleep(100)
        sleep(1)
    assert not shields


def test_a_shielded_part_of_the_block_is_finished_first() -> None:
    log = Log()
    with pytest.raises(ExceptionGroup), nursery() as n:
        n.spawn(fail)
        with shield():
            sleep(5)
            log.append("finished")
        log.append("never")
    assert log == ["finished"]


def test_a_nursery_of_another_os_thread_is_refused() -> None:
    wrong: list[BaseException] = []
    go = Event()

    def other() -> None:
        try:
            n.spawn(sleep)
        except RuntimeError as error:
            wrong.append(error)
        go.send()

    with nursery() as n:
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert "belongs to another OS thread" in str(wrong[0])


def test_its_repr_says_how_it_is() -> None:
    n = nursery()
    assert " not open running=0>" in repr(n)
    with n:
        n.spawn(sleep)
        assert " open running=1>" in repr(n)
        settle()


def test_it_gives_nothing_to_the_collector(fake: Fake) -> None:
    def host() -> GreenThread[None]:
        with nursery() as n:
            return n.spawn(sleep, 1)

    assert host().dead


# -- Whatever happens --------------------------------------------------------------------------------------------------


class Chance:
    """A nursery whose green threads wait, fail, nest, cancel, ignore and clean up as a seed has it."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.alive = 0

    def pause(self) -> None:
        sleep(self.chance.choice([0, 1, 2, 5]))

    def child(self, n: nursery, depth: int) -> None:
        self.alive += 1
        try:
            self.act(n, depth)
            self.act(n, depth)
        finally:
            try:
                self.pause()  # the clean-up waits, too, and may be interrupted
            finally:
                self.alive -= 1

    def act(self, n: nursery, depth: int) -> None:
        what = self.chance.choice(["wait", "nest", "fail", "cancel", "shield", "ignore", "limit", "wait"])
        if what == "nest" and depth < 2:
            with nursery() as inner:
                for _ in range(self.chance.randint(1, 3)):
                    inner.spawn(self.child, inner, depth + 1)
                self.pause()
        elif what == "fail":
            raise ValueError
        elif what == "cancel":
            n.cancel()
        elif what == "shield":
            with shield():
                self.pause()
        elif what == "ignore":
            try:
                self.pause()
            except Cancelled:
                self.pause()
        elif what == "limit":
            with Timeout(1, False):
                self.pause()
        else:
            self.pause()

    def host(self) -> None:
        try:
            with Timeout(self.chance.choice([1, 4, 9]), False), nursery() as n:
                for _ in range(self.chance.randint(1, 4)):
                    n.spawn(self.child, n, 0)
                self.pause()
        finally:
            assert self.alive == 0


@pytest.mark.parametrize("seed", range(40))
def test_none_outlives_its_block_and_no_cancellation_leaves_it(seed: int) -> None:
    life = Chance(seed)
    host = spawn(life.host)
    host.quiet = True
    life.pause()
    if seed % 3 == 0:
        host.kill()
    try:
        host.wait(10_000)
    except GreenletExit as error:
        assert type(error) is GreenletExit
        assert seed % 3 == 0
    except ExceptionGroup as group:
        assert group.split(ValueError)[1] is None
    assert life.alive == 0
    assert not shields


def test_in_the_child_of_a_fork_the_block_does_not_wait_for_those_that_stayed_behind(
    run_program: Callable[..., CompletedProcess[str]],
) -> None:
    program = """
import os, greening
with greening.nursery() as n:
    n.spawn(greening.sleep, 0.01)
    greening.sleep(0)
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    else:
        n.spawn(abs, 1)
if not child:
    os._exit(7)
"""
    assert run_program(program).stdout == "7\n"
