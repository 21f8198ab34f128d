"""spawn, wait, link, kill and cancel, as eventlet has them."""

from typing import Any

from tests.sync.agreed.registry import agreed, error_of


@agreed([[], [0, 1, 2, 3]])
def spawn_runs_nothing_before_the_caller_yields_and_then_in_the_order_of_spawning(lib: Any) -> object:
    order: list[int] = []
    for number in range(4):
        (lib.spawn, lib.spawn_n)[number % 2](order.append, number)
    before = list(order)
    lib.settle()
    return [before, order]


@agreed([[3, 1], "ZeroDivisionError", "ZeroDivisionError"])
def wait_returns_the_result_or_raises_the_error_as_often_as_it_is_called(lib: Any) -> object:
    good, bad = lib.spawn(divmod, 7, 2), lib.spawn(divmod, 1, 0)
    return [good.wait(), error_of(bad.wait), error_of(bad.wait)]


@agreed(["sooner", "later"])
def spawn_after_starts_when_its_time_has_come(lib: Any) -> object:
    order: list[str] = []
    later = lib.spawn_after(0.003, order.append, "later")
    lib.spawn_after(0.001, order.append, "sooner")
    later.wait()
    return order


@agreed([["killed", "spawned before", "killer"], "GreenletExit"])
def kill_raises_at_once_and_the_killer_goes_on_behind_the_others(lib: Any) -> object:
    order: list[str] = []

    def victim() -> None:
        try:
            lib.sleep(10)
        except lib.GreenletExit:
            order.append("killed")
            raise

    thread = lib.spawn(victim)
    lib.settle()
    lib.spawn(order.append, "spawned before")
    thread.kill()
    order.append("killer")
    return [order, error_of(thread.wait)]


@agreed([[], "GreenletExit", "LookupError"])
def a_thread_that_is_killed_before_it_began_never_runs_and_its_waiters_see_why(lib: Any) -> object:
    ran: list[int] = []
    one = lib.spawn(ran.append, 1)
    one.kill()
    other = lib.spawn(ran.append, 2)
    waiter = lib.spawn(error_of, other.wait)
    other.kill(LookupError, LookupError("why"), None)
    lib.settle()
    return [ran, error_of(one.wait), waiter.wait()]


@agreed(["LookupError", "LookupError", "KeyError"])
def kill_takes_a_class_an_instance_or_the_arguments_of_a_throw(lib: Any) -> object:
    kinds = []
    for args in ((LookupError,), (LookupError("x"),), (KeyError, "x")):
        thread = lib.spawn(error_of, lib.sleep, 10)
        lib.settle()
        lib.kill(thread, *args)
        kinds.append(thread.wait())
    return kinds


@agreed("nothing")
def killing_what_has_ended_changes_nothing(lib: Any) -> object:
    thread = lib.spawn(abs, -5)
    assert thread.wait() == 5
    thread.kill()
    assert thread.wait() == 5
    return error_of(lib.kill, thread)


@agreed("LookupError")
def killing_oneself_raises_where_one_is(lib: Any) -> object:
    return lib.spawn(error_of, lambda: lib.kill(lib.getcurrent(), LookupError("me"))).wait()


@agreed([["end", 1], ["end", 1], True, False])
def links_are_called_at_the_end_and_at_once_after_it_and_may_be_taken_back(lib: Any) -> object:
    called: list[tuple[str, int]] = []

    def note(thread: Any, word: str, number: int) -> None:
        called.append((word, number))

    thread = lib.spawn(lib.sleep, 0)
    thread.link(note, "end", number=1)
    thread.link(note, "never", number=2)
    taken_back = thread.unlink(note, "never", number=2)
    lib.settle()
    thread.link(note, "end", number=1)
    return [*called, taken_back, thread.unlink(note, "never", number=2)]


@agreed([["started"], "GreenletExit"])
def cancel_ends_a_thread_that_has_not_begun_and_leaves_another_alone(lib: Any) -> object:
    ran: list[str] = []

    def start() -> None:
        lib.sleep(0)
        ran.append("started")

    begun = lib.spawn(start)
    lib.sleep(0)
    not_begun = lib.spawn_after(0.001, ran.append, "not begun")
    begun.cancel()
    not_begun.cancel()
    begun.wait()
    lib.sleep(0.005)
    return [ran, error_of(not_begun.wait)]
