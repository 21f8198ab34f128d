"""A worker of Celery's survives a restart of Redis.

Facts: when the connection is lost, Celery has kombu put back what the worker had not acknowledged, and then closes the
connection, which does the same once more. If Redis cannot be reached, the first try fails. By the second try the
connection has forgotten where Redis is: AttributeError, which Celery takes for the end of the worker. Whether it comes
so far depends on what the worker did at that moment, and on no pool.
Decision: a connection that has been torn down puts nothing back. The messages are in Redis as before. This pool has
those put back that had not begun, as soon as there is a new connection; the others are, when `visibility_timeout` is
over.

What is to be acknowledged on such a connection fails in the same way, and is a lost connection now.
"""

from types import ModuleType
from typing import Any

from greening.monkey import patch_module
from greening.patcher.spec import Patch


def patch(module: ModuleType) -> None:
    """`kombu.transport.redis` has been imported: closed connections of it are told from those that work.

    Args:
        module: kombu's. It is there, and of no use, where redis-py is not installed; what is then
            raised for a lost connection is the ConnectionError of Python.
    """
    by_kombu: Any = module.QoS.restore_unacked
    create_client: Any = module.Channel._create_client
    # What kombu and Celery know as a lost connection to Redis.
    lost: Any = getattr(module.redis, "ConnectionError", ConnectionError)

    def restore_unacked(self: Any, client: Any = None) -> Any:
        if _is_torn_down(self.channel):
            self._delivered.clear()
            return None
        return by_kombu(self, client)

    def _create_client(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_torn_down(self):
            raise lost("the connection to Redis was lost, and this channel belonged to it")
        return create_client(self, *args, **kwargs)

    methods = {"QoS": {"restore_unacked": restore_unacked}, "Channel": {"_create_client": _create_client}}
    patch_module(Patch(target=module.__name__, flag="socket", replaces={}, methods=methods), module)


def _is_torn_down(channel: Any) -> bool:
    """Whether the transport of a channel has been closed: it then has nobody to ask for Redis's address."""
    return getattr(channel.connection, "client", channel) is None
