"""queue, patched: SimpleQueue is cooperative, the others are the stdlib's own on green locks."""

import pytest


@pytest.mark.slow
def test_every_queue_hands_items_between_green_threads_in_order(run_program) -> None:
    run_program(
        """
import queue
import greening
greening.monkey_patch()
for make in (queue.SimpleQueue, queue.Queue, lambda: queue.Queue(1)):
    channel = make()
    getter = greening.spawn(lambda: [channel.get() for _ in range(20)])
    greening.sleep(0)
    for n in range(20):
        channel.put(n)
    assert getter.wait() == list(range(20))
    try:
        channel.get(timeout=0.001)
    except queue.Empty:
        pass
    else:
        raise AssertionError
"""
    )
