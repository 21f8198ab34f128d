"""Connections of Celery's to Redis that were lost while Redis could not be reached."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("celery", reason="Celery is not installed: the extra ext-test has it")
redis = pytest.importorskip("redis", reason="redis-py is not installed: the extra ext-test has it")

from kombu import Connection
from kombu.transport import redis as redis_transport

from greening import unpatch
from greening.ext import celery_transport
from tests.ext.servers import Server, valkey

pytestmark = [
    pytest.mark.slow,  # a server
    pytest.mark.filterwarnings("ignore"),  # kombu's own deprecations
]


@pytest.fixture
def torn_down(valkey: Server) -> Iterator[Any]:
    """A channel with a message that nobody has acknowledged; its connection was closed while it was in use."""
    celery_transport.patch(redis_transport)
    try:
        with Connection(valkey.url) as connection:
            channel = connection.default_channel
            queue = connection.SimpleQueue("torn-down")
            queue.put("a message")
            message = queue.get(timeout=5)
            transport = connection.transport
            yield message, channel
            transport.client, message.channel.connection = connection, transport
            message.ack()
            queue.close()
    finally:
        unpatch()


def test_it_puts_nothing_back_and_raises_nothing(torn_down: Any) -> None:
    message, _ = torn_down
    message.channel.connection.client = None
    message.channel._pool = None
    message.channel.qos.restore_unacked()


def test_what_is_asked_of_it_is_a_lost_connection(torn_down: Any) -> None:
    message, _ = torn_down
    message.channel.connection.client = None
    with pytest.raises(redis.ConnectionError, match="was lost, and this channel belonged to it"):
        message.channel._create_client()


def test_nor_does_a_channel_that_was_closed_know_where_redis_is(torn_down: Any) -> None:
    """An acknowledgement that comes late: anything but a lost connection would end the worker."""
    message, _ = torn_down
    message.channel.connection = None
    message.channel._pool = None
    with pytest.raises(redis.ConnectionError, match="was lost, and this channel belonged to it"):
        message.ack()


def test_what_a_stopped_redis_has_handed_out_is_put_back_when_it_is_there_again(tmp_path: Path) -> None:
    celery_transport.patch(redis_transport)
    try:
        with valkey(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as server:
            with Connection(server.url) as connection:
                queue = connection.SimpleQueue("handed-out")
                queue.put("a message")
                channel = queue.queue.channel
                with channel.conn_or_acquire() as client:
                    _, raw = client.brpop("handed-out", 5)
                message = channel.Message(json.loads(raw), channel=channel)
                with server.stopped(), pytest.raises(redis.ConnectionError):
                    channel.qos.append(message, message.delivery_tag)
                queue.close()
            with Connection(server.url) as connection:
                queue = connection.SimpleQueue("handed-out")
                queue.queue.channel.qos.restore_visible()
                again = queue.get(timeout=5)
                again.ack()
                assert again.payload == "a message"
                queue.close()
    finally:
        unpatch()


def test_a_channel_keeps_its_client_as_long_as_its_pool(torn_down: Any) -> None:
    _, channel = torn_down
    with channel.conn_or_acquire() as client, channel.conn_or_acquire() as again:
        assert again is client
        assert client.ping()
    channel._disconnect_pools()
    with channel.conn_or_acquire() as other:
        assert other is not client
        assert other.ping()
    assert channel._create_client(asynchronous=True) is not channel._create_client(asynchronous=True)
