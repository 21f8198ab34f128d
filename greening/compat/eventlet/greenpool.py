"""eventlet.greenpool. `DEBUG`: whether what fails in `GreenPool.spawn_n` is reported; programs set it."""

import sys
from types import ModuleType

from greening.pool.greenmap import GreenMap
from greening.pool.greenpile import GreenPile
from greening.pool.greenpool import GreenPool

__all__ = ["GreenMap", "GreenPile", "GreenPool"]


class _Module(ModuleType):
    """This module: the pool reads its own attribute, and DEBUG is a name for it."""

    @property
    def DEBUG(self) -> bool:
        """True, the default: tracebacks are printed."""
        return GreenPool.reports

    @DEBUG.setter
    def DEBUG(self, value: object) -> None:
        # In the module's dictionary as well: mock.patch() puts back only what it finds there, and deletes the rest.
        vars(self)["DEBUG"] = GreenPool.reports = bool(value)


sys.modules[__name__].__class__ = _Module
vars(sys.modules[__name__])["DEBUG"] = GreenPool.reports
