"""eventlet.support.psycopg2_patcher."""

import importlib

from greening.compat.eventlet import drivers
from greening.compat.eventlet.drivers import wait_for_libpq as eventlet_wait_callback

__all__ = ["eventlet_wait_callback", "make_psycopg_green"]


def make_psycopg_green() -> None:
    """Have every connection of psycopg2 wait cooperatively.

    Raises:
        ImportError: psycopg2 is not installed.
    """
    importlib.import_module("psycopg2.extensions")
    drivers.make_psycopg_green(importlib.import_module("psycopg2"))
