"""Event, as eventlet has it. (`poll_exception` differs: eventlet's raises, greening's returns.)"""

from typing import Any

from tests.sync.agreed.registry import agreed, error_of


@agreed([[], ["news", "news", "news"]])
def every_waiter_gets_the_value_and_send_never_yields(lib: Any) -> object:
    event, got = lib.Event(), []
    for _ in range(3):
        lib.spawn(lambda: got.append(event.wait()))
    lib.settle()
    event.send("news")
    at_once = list(got)
    lib.settle()
    return [at_once, got]


@agreed(["news", "news", None])
def a_value_that_was_sent_before_is_returned_at_once(lib: Any) -> object:
    event, nothing = lib.Event(), lib.Event()
    event.send("news")
    nothing.send()
    return [event.wait(), event.wait(0.001), nothing.wait()]


@agreed([None, "late"])
def wait_returns_none_when_the_time_runs_out_and_misses_nothing_the_next_time(lib: Any) -> object:
    event = lib.Event()
    first = event.wait(0.001)
    lib.spawn(event.send, "late")
    return [first, event.wait(1)]


@agreed(["AssertionError", "AssertionError", "first"])
def sending_twice_is_an_error(lib: Any) -> object:
    event = lib.Event()
    event.send("first")
    return [error_of(event.send, "second"), error_of(event.send_exception, ValueError()), event.wait()]


@agreed([["ValueError", "ValueError"], "ValueError", "ValueError"])
def an_exception_is_raised_by_every_wait_and_by_poll(lib: Any) -> object:
    event = lib.Event()
    waiters = [lib.spawn(error_of, event.wait) for _ in range(2)]
    lib.settle()
    event.send_exception(ValueError("bad"))
    return [[waiter.wait() for waiter in waiters], error_of(event.wait), error_of(event.poll)]


@agreed([["x"], ["x"], ["x", 1], [], ["x"], ["x"]])
def an_exception_is_sent_as_the_arguments_of_a_throw(lib: Any) -> object:
    found = []
    for args in ((KeyError("x"),), (KeyError, "x"), (KeyError, ("x", 1)), (KeyError,), (KeyError, KeyError("x"))):
        event = lib.Event()
        event.send_exception(*args)
        try:
            event.wait()
        except KeyError as error:
            found.append(list(error.args))
    event = lib.Event()
    event.send(exc=KeyError("x"))
    try:
        event.wait()
    except KeyError as error:
        found.append(list(error.args))
    return found


@agreed([[False, False, False], [True, True, False], [True, False, True]])
def an_event_says_whether_it_carries_a_value_or_an_exception(lib: Any) -> object:
    fresh, sent, failed = lib.Event(), lib.Event(), lib.Event()
    sent.send(1)
    failed.send_exception(ValueError)
    return [[event.ready(), event.has_result(), event.has_exception()] for event in (fresh, sent, failed)]


@agreed([None, "none", "none", "none", "value", "value", "none", "none"])
def polls_do_not_wait(lib: Any) -> object:
    fresh, sent, failed = lib.Event(), lib.Event(), lib.Event()
    sent.send("value")
    failed.send_exception(ValueError)
    return [
        *(fresh.poll(), fresh.poll("none"), fresh.poll_result("none"), fresh.poll_exception("none")),
        *(sent.poll("none"), sent.poll_result("none"), sent.poll_exception("none")),
        failed.poll_result("none"),
    ]


@agreed(["AssertionError", False, 2])
def reset_makes_an_event_ready_for_another_send_and_is_an_error_before_the_first(lib: Any) -> object:
    event = lib.Event()
    error = error_of(event.reset)
    event.send(1)
    event.reset()
    ready = event.ready()
    lib.spawn(event.send, 2)
    return [error, ready, event.wait()]


@agreed(["GreenletExit", "value"])
def a_killed_waiter_leaves_and_the_others_get_the_value(lib: Any) -> object:
    event = lib.Event()
    victim, other = lib.spawn(event.wait), lib.spawn(event.wait)
    lib.settle()
    victim.kill()
    event.send("value")
    return [error_of(victim.wait), other.wait()]
