"""A worker of Celery's survives a restart of Redis, and does not build a client of it for each message.

Facts: when the connection is lost, Celery has kombu put back what the worker had not acknowledged, and then closes the
connection, which does the same once more. If Redis cannot be reached, the first try fails. By the second try the
connection has forgotten where Redis is: AttributeError, which Celery takes for the end of the worker. Whether it comes
so far depends on what the worker did at that moment, and on no pool.
Decision: a connection that has been torn down puts nothing back. The messages are in Redis as before. This pool has
those put back that had not begun, as soon as there is a new connection; the others are, when `visibility_timeout` is
over.

What is to be acknowledged on such a connection fails in the same way, and is a lost connection now.

Fact: a message that a worker has taken out of a list of Redis, and not yet entered as unacknowledged, is nowhere else.
A broker that stops between the two costs a message, nearly each time if many wait. Decision: the worker keeps it, and
puts it back when kombu asks that Redis, as it does on each new connection, which messages are overdue.

Fact: kombu makes a client, with its table of all commands, two times for each message: a sixth of the worker's CPU. A
client belongs to a pool of connections and has no other state. Decision: a channel keeps it as long as its pool.
"""

from collections import defaultdict
from types import ModuleType
from typing import Any

from greening.ext.classes import Methods, patch_methods

# The attribute of a channel that has its client.
_KEPT = "_greening_client"

# By the address of their Redis: messages that are in this process only, and their tags.
_homeless: defaultdict[Any, list[tuple[Any, Any]]] = defaultdict(list)


def patch(module: ModuleType) -> None:
    """`kombu.transport.redis` has been imported: closed connections of it are told from those that work.

    Args:
        module: kombu's. It is there, and of no use, where redis-py is not installed; what is then
            raised for a lost connection is the ConnectionError of Python.
    """
    by_kombu: Any = module.QoS.restore_unacked
    enter: Any = module.QoS.append
    restore_overdue: Any = module.QoS.restore_visible
    create_client: Any = module.Channel._create_client
    # What kombu and Celery know as a lost connection to Redis.
    lost: Any = getattr(module.redis, "ConnectionError", ConnectionError)

    def restore_unacked(self: Any, client: Any = None) -> Any:
        if _is_torn_down(self.channel):
            self._delivered.clear()
            return None
        return by_kombu(self, client)

    def append(self: Any, message: Any, delivery_tag: Any) -> None:
        try:
            enter(self, message, delivery_tag)
        except Exception:
            _homeless[_address(self.channel)].append((message, delivery_tag))
            raise

    def restore_visible(self: Any, *args: Any, **kwargs: Any) -> Any:
        own = _homeless[_address(self.channel)] if _homeless else []
        while own:
            enter(self, *own[-1])
            _, tag = own.pop()
            self.reject(tag, requeue=True)
        return restore_overdue(self, *args, **kwargs)

    def _create_client(self: Any, asynchronous: bool = False) -> Any:
        if _is_torn_down(self):
            raise lost("the connection to Redis was lost, and this channel belonged to it")
        if asynchronous:  # these are bound to one connection
            return create_client(self, asynchronous=True)
        client = self.__dict__.get(_KEPT)
        if client is None or client.connection_pool is not self.pool:
            client = self.__dict__[_KEPT] = create_client(self)
        return client

    methods: Methods = {
        "QoS": {"restore_unacked": restore_unacked, "append": append, "restore_visible": restore_visible},
        "Channel": {"_create_client": _create_client},
    }
    patch_methods(module, methods)


def _is_torn_down(channel: Any) -> bool:
    """Whether a channel, or its transport, has been closed: it then has lost Redis's address."""
    transport = channel.connection
    return transport is None or transport.client is None


def _address(channel: Any) -> Any:
    """Of a channel's Redis."""
    parameters = channel._create_client().connection_pool.connection_kwargs
    return tuple(parameters.get(name) for name in ("host", "port", "path", "db"))
