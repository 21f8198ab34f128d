"""oslo.messaging with the executor "eventlet" over a RabbitMQ: calls, casts, fan-out, notifications.

The broker restarts in the middle. There are two servers, each a process of its own, and a client, whose threads are
green as well.
"""

import eventlet

eventlet.monkey_patch()

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import oslo_messaging
from oslo_config import cfg

URL = os.environ.get("MESSAGING_URL", "")
NAME = os.environ.get("MESSAGING_SERVER", "")
TOPIC = "numbers"
SECONDS = 60


def transport(kind: Callable[..., Any]) -> Any:
    """A transport over the broker."""
    cfg.CONF([])
    return kind(cfg.CONF, url=URL)


class Endpoint:
    """What both servers offer."""

    def __init__(self) -> None:
        self.noted: list[int] = []

    def square(self, context: object, number: int, seconds: float = 0) -> int:
        """Answer after a while."""
        time.sleep(seconds)
        return number * number

    def fail(self, context: object) -> None:
        """Answer with an exception."""
        raise ValueError("as it should")

    def note(self, context: object, number: int) -> None:
        """Remember a number; there is no answer."""
        self.noted.append(number)

    def seen(self, context: object) -> list[int]:
        """All numbers that were noted."""
        return self.noted

    def info(self, context: object, publisher: str, event: str, payload: int, metadata: object) -> None:
        """A notification."""
        self.noted.append(payload)


def serve() -> None:
    """A server; SIGTERM ends it."""
    endpoint = Endpoint()
    target = oslo_messaging.Target(topic=TOPIC, server=NAME)
    servers = [
        oslo_messaging.get_rpc_server(
            transport(oslo_messaging.get_rpc_transport), target, [endpoint], executor="eventlet"
        ),
        oslo_messaging.get_notification_listener(
            transport(oslo_messaging.get_notification_transport),
            [oslo_messaging.Target(topic="events")],
            [endpoint],
            executor="eventlet",
        ),
    ]
    for server in servers:
        server.start()
    for server in servers:
        server.wait()


def client(server: str | None = None, *, fanout: bool = False) -> Any:
    """A client of both servers, or of one."""
    target = oslo_messaging.Target(topic=TOPIC, server=server, fanout=fanout or None)
    return oslo_messaging.get_rpc_client(RPC, target, timeout=5)


def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def answers(server: str) -> bool:
    """True if it has its queues, and answers."""
    try:
        return bool(client(server).prepare(timeout=1).call({}, "square", number=1))
    except oslo_messaging.MessagingTimeout:
        return False


def noted(first: int, count: int) -> list[int]:
    """Which of these numbers the servers have noted, as often as they have."""
    seen = [number for name in ("a", "b") for number in client(name).call({}, "seen")]
    return sorted(number for number in seen if first <= number < first + count)


def calls_in_green_threads() -> None:
    many = client()
    begun = time.monotonic()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: many.call({}, "square", number=number, seconds=0.1), range(100)))
    assert answers == [number * number for number in range(100)]
    assert time.monotonic() - begun < 8, "they ran one after another"


def an_exception_comes_back() -> None:
    raised = None
    try:
        client().call({}, "fail")
    except ValueError as error:
        raised = str(error)
    assert raised is not None
    assert raised.startswith("as it should")


def a_timeout() -> None:
    try:
        client().prepare(timeout=0.5).call({}, "square", number=1, seconds=2)
    except oslo_messaging.MessagingTimeout:
        return
    raise AssertionError("there was none")


def casts() -> None:
    for number in range(1000, 1050):
        client().cast({}, "note", number=number)
    until(lambda: noted(1000, 50) == list(range(1000, 1050)))


def fanout() -> None:
    for number in range(2000, 2020):
        client(fanout=True).cast({}, "note", number=number)
    until(lambda: noted(2000, 20) == sorted([*range(2000, 2020)] * 2))


def notifications() -> None:
    notifier = oslo_messaging.Notifier(
        transport(oslo_messaging.get_notification_transport), "checks", driver="messaging", topics=["events"]
    )
    for number in range(3000, 3050):
        notifier.info({}, "event", number)
    until(lambda: noted(3000, 50) == list(range(3000, 3050)))


def a_broker_that_restarts() -> None:
    """Ten green threads call all the time; what times out is called again. In the end every call has its own answer."""
    over, counts = threading.Event(), [0] * 10

    def call(thread: int) -> None:
        mine = client()
        number = 1_000_000 * (thread + 1)
        while not over.is_set():
            try:
                answer = mine.call({}, "square", number=number)
            except (oslo_messaging.MessagingTimeout, oslo_messaging.MessageDeliveryFailure):
                continue
            assert answer == number * number
            number += 1
            counts[thread] += 1

    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(call, thread) for thread in range(10)]
        try:
            until(lambda: min(counts) >= 5)
            BROKER.stop()
            BROKER.start()
            before = list(counts)
            until(lambda: all(now >= then + 5 for now, then in zip(counts, before, strict=True)))
        finally:
            over.set()
        for future in futures:
            future.result(SECONDS)
    casts_again = range(4000, 4020)
    for number in casts_again:
        client().cast({}, "note", number=number)
    until(lambda: noted(4000, 20) == list(casts_again))


def main() -> None:
    """The checks, with a broker and two servers."""
    global BROKER, RPC, URL
    from checks import CHECKS, run, running
    from rabbit import broker

    checks = calls_in_green_threads, an_exception_comes_back, a_timeout, casts, fanout, notifications
    CHECKS.update({check.__name__: check for check in (*checks, a_broker_that_restarts)})
    with ExitStack() as stack:
        BROKER = stack.enter_context(broker())
        URL = BROKER.url
        for name in ("a", "b"):
            stack.enter_context(running(__file__, MESSAGING_URL=URL, MESSAGING_SERVER=name))
        RPC = transport(oslo_messaging.get_rpc_transport)
        for name in ("a", "b"):
            until(lambda name=name: answers(name))
        run()


if __name__ == "__main__":
    sys.exit(serve() if NAME else main())
