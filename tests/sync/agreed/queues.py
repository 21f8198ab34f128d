"""The queues, as eventlet has them. The order of the waiters is greening's own: eventlet keeps them in a set."""

from typing import Any

from tests.sync.agreed.registry import agreed, error_of


def drain(queue: Any) -> list[Any]:
    return [queue.get() for _ in range(queue.qsize())]


@agreed([[3, 1, 2], [3, 1, 2], [1, 2, 3], [2, 1, 3]])
def every_kind_gives_its_items_in_its_order(lib: Any) -> object:
    orders = []
    for kind in (lib.LightQueue, lib.Queue, lib.PriorityQueue, lib.LifoQueue):
        queue = kind()
        for item in (3, 1, 2):
            queue.put(item)
        orders.append(drain(queue))
    return orders


@agreed([None, None, 100, False, 3, True])
def none_and_less_than_nothing_mean_unbounded(lib: Any) -> object:
    unbounded, negative, bounded = lib.Queue(None), lib.Queue(-1), lib.Queue(3)
    for number in range(100):
        unbounded.put_nowait(number)
    for number in range(3):
        bounded.put(number)
    return [
        *(unbounded.maxsize, negative.maxsize, unbounded.qsize(), unbounded.full()),
        *(bounded.qsize(), bounded.full()),
    ]


@agreed([["Empty", "Empty", "Empty"], ["Full", "Full", "Full"], 1])
def full_and_empty_are_raised_at_once_or_when_the_time_runs_out(lib: Any) -> object:
    queue = lib.Queue(1)
    empty = [error_of(queue.get_nowait), error_of(queue.get, False), error_of(queue.get, True, 0.001)]
    queue.put(1)
    full = [error_of(queue.put_nowait, 2), error_of(queue.put, 2, False), error_of(queue.put, 2, True, 0.001)]
    return [empty, full, queue.qsize()]


@agreed([[], ["in"], [1, 2]])
def put_waits_for_a_place(lib: Any) -> object:
    queue, order = lib.Queue(1), []
    queue.put(1)
    lib.spawn(lambda: (queue.put(2), order.append("in")))
    lib.settle()
    before = list(order)
    first = queue.get()
    lib.settle()
    return [before, order, [first, queue.get()]]


@agreed([True, True, [], 7, ["put returned"]])
def a_queue_of_size_zero_is_a_channel(lib: Any) -> object:
    channel, order = lib.Queue(0), []
    lib.spawn(lambda: (channel.put(7), order.append("put returned")))
    lib.settle()
    before = list(order)
    item = channel.get()
    lib.settle()
    return [channel.empty(), channel.full(), before, item, order]


@agreed(["Full", "Empty", 7])
def an_attempt_on_a_channel_succeeds_when_a_getter_waits(lib: Any) -> object:
    channel = lib.Queue(0)
    errors = [error_of(channel.put_nowait, 1), error_of(channel.get_nowait)]
    getter = lib.spawn(channel.get)
    lib.settle()
    channel.put_nowait(7)
    return [*errors, getter.wait()]


@agreed([[2, 0], [0, 2], [0, 0]])
def a_queue_says_how_many_wait(lib: Any) -> object:
    queue, counts = lib.Queue(1), []

    def count() -> None:
        lib.settle()
        counts.append([queue.getting(), queue.putting()])

    for _ in range(2):
        lib.spawn(queue.get)
    count()
    for item in range(5):
        lib.spawn(queue.put, item)
    count()
    for _ in range(3):
        queue.get()
        lib.settle()
    count()
    return counts


@agreed([[3, 1], 3, [3, 3]])
def resize_lets_putters_in_and_takes_nothing_out(lib: Any) -> object:
    queue = lib.Queue(1)
    for number in range(4):
        lib.spawn(queue.put, number)
    lib.settle()
    queue.resize(3)
    lib.settle()
    grown = [queue.qsize(), queue.putting()]
    queue.resize(1)
    shrunk = queue.qsize()
    queue.get()
    queue.resize(None)
    lib.settle()
    return [grown, shrunk, [queue.qsize(), len(drain(queue))]]


@agreed([[2, 1], ["joined"], "ValueError"])
def join_returns_when_every_item_has_been_dealt_with(lib: Any) -> object:
    queue, order, unfinished = lib.Queue(), [], []
    queue.put("a")
    queue.put("b")
    lib.spawn(lambda: (queue.join(), order.append("joined")))
    for _ in range(2):
        lib.settle()
        assert order == []
        queue.get()
        unfinished.append(queue.unfinished_tasks)
        queue.task_done()
    lib.settle()
    return [unfinished, order, error_of(queue.task_done)]


@agreed(None)
def join_of_a_queue_that_was_never_used_returns_at_once(lib: Any) -> object:
    lib.Queue().join()


@agreed([1, 0])
def the_item_of_a_getter_that_was_killed_goes_to_another(lib: Any) -> object:
    queue = lib.Queue()
    victim = lib.spawn(queue.get)
    lib.settle()
    other = lib.spawn(queue.get)
    lib.settle()
    victim.kill()
    queue.put(1)
    return [other.wait(), queue.qsize()]


@agreed([1, "Empty"])
def a_getter_whose_time_ran_out_takes_nothing(lib: Any) -> object:
    queue = lib.Queue()
    error = error_of(queue.get, True, 0.001)
    queue.put(1)
    return [queue.get(), error]


@agreed(["GreenletExit", [1, 3]])
def a_killed_putter_takes_its_item_along(lib: Any) -> object:
    queue = lib.Queue(1)
    queue.put(1)
    victim = lib.spawn(queue.put, 2)
    lib.settle()
    victim.kill()
    lib.spawn(queue.put, 3)
    lib.settle()
    return [error_of(victim.wait), [queue.get(), queue.get(timeout=1)]]


@agreed("in time")
def an_item_that_comes_in_time_is_returned(lib: Any) -> object:
    queue = lib.Queue()
    lib.spawn_after(0.001, queue.put, "in time")
    return queue.get(timeout=1)
