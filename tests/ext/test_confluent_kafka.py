"""confluent-kafka against the broker that librdkafka brings along, which speaks Kafka's protocol over TCP."""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("confluent_kafka")

pytestmark = pytest.mark.slow  # each is a program

Run = Callable[..., Any]

BROKER = """
import time
import confluent_kafka
beat()
producer = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 0})
broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
address = f"{broker.host}:{broker.port}"

def consumer(group, first="earliest"):
    made = confluent_kafka.Consumer(
        {"bootstrap.servers": address, "group.id": group, "auto.offset.reset": first, "log_level": 0}
    )
    made.subscribe(["topic"])
    return made

def send(count):
    for number in range(count):
        producer.produce("topic", str(number).encode())
    assert producer.flush(10) == 0
"""


def test_the_example_of_the_page(run_page: Run) -> None:
    assert run_page("confluent_kafka").stdout == f"{[b'hello'] * 4}\n"


@pytest.mark.parametrize("before", ["", "import confluent_kafka"], ids=["after the patch", "before the patch"])
def test_consumers_that_wait_take_the_time_of_one(run_green: Run, before: str) -> None:
    run_green(
        BROKER
        + """
send(1)
begin = time.monotonic()
waiting = [greening.spawn(consumer(f"group {number}", "latest").poll, 0.5) for number in range(8)]
assert [thread.wait() for thread in waiting] == [None] * 8
assert time.monotonic() - begin < 3  # one after the other it would be 4
""",
        before=before,
    )


def test_a_message_is_delivered_and_reported(run_green: Run) -> None:
    run_green(
        BROKER
        + """
reports = []
producer.produce("topic", b"hello", callback=lambda error, message: reports.append(error))
while not reports:
    producer.poll(1)
assert reports == [None]
got = consumer("group")
while (message := got.poll()) is None or message.error():
    pass
assert message.value() == b"hello"
got.commit(message, asynchronous=False)
got.close()
"""
    )


@pytest.mark.parametrize("take", ["[got.poll()]", "got.consume(7, 0.05)"], ids=["poll", "consume"])
def test_interruptions_lose_no_message(run_green: Run, take: str) -> None:
    run_green(
        BROKER
        + f"""
import random
chance, came, got = random.Random(1), [], consumer("group")
send(300)

def read():
    came.extend(int(message.value()) for message in {take} if not message.error())

while len(came) < 300:
    if chance.random() < 0.5:
        with greening.Timeout(chance.uniform(0, 0.02), False):
            read()
    else:
        reader = greening.spawn(read)
        greening.sleep(chance.uniform(0, 0.02))
        reader.kill()
assert sorted(came) == list(range(300))
got.close()
"""
    )


def test_errors_are_those_of_the_library(run_green: Run) -> None:
    run_green(
        BROKER
        + """
got = consumer("group")
for error, call in ((ValueError, lambda: got.consume(-1)), (ValueError, lambda: got.consume(10_000_000))):
    try:
        call()
        raise SystemExit("no error")
    except error:
        pass
# The topic is not there: that is nothing, or a message of it.
assert all(message.error() for message in [*got.consume(5, 0.02), got.poll(0)] if message)
got.close()
try:
    got.poll(1)
    raise SystemExit("no error")
except RuntimeError as error:
    assert "closed" in str(error)
"""
    )


def test_classes_that_derive_from_them_are_green_and_unpatch_takes_it_back(run_program: Run) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
import confluent_kafka
from confluent_kafka import cimpl
green = confluent_kafka.Consumer
assert issubclass(confluent_kafka.DeserializingConsumer, green) and cimpl.Consumer is green
greening.unpatch()
assert cimpl.Consumer is not green and issubclass(green, cimpl.Consumer)
"""
    )


def test_classes_that_were_derived_before_the_patch_are_green(run_green: Run) -> None:
    before = """
import confluent_kafka

class Mine(confluent_kafka.Consumer):
    pass

kinds = [Mine, confluent_kafka.DeserializingConsumer]
"""
    run_green(
        BROKER
        + """
def poll(kind):
    made = kind({"bootstrap.servers": address, "group.id": "group", "log_level": 0})
    try:
        return made.poll(0.3)  # longer than the heart may stand still
    finally:
        made.close()

assert [thread.wait() for thread in [greening.spawn(poll, kind) for kind in kinds]] == [None] * 2
""",
        before=before,
    )


def test_unpatch_gives_early_classes_their_base_back(run_program: Run) -> None:
    run_program(
        """
import confluent_kafka
import greening
early = confluent_kafka.DeserializingConsumer
bases = early.__bases__
greening.monkey_patch()
assert early.__bases__ != bases and issubclass(early, bases[0])
greening.unpatch()
assert early.__bases__ == bases
"""
    )
