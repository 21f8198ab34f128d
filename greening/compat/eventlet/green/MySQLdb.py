"""eventlet.green.MySQLdb: connections that are made, and used, in native threads.

Raises ImportError where MySQLdb (the distribution mysqlclient) is not installed.
"""

import importlib
from typing import Any

from greening.compat.eventlet.drivers import connections_in_threads

_module: Any = importlib.import_module("MySQLdb")
_green = connections_in_threads(_module)

connect = Connect = Connection = _green["connect"]


def __getattr__(name: str) -> Any:
    return getattr(_module, name)


def __dir__() -> list[str]:
    return sorted({*dir(_module), *_green})
