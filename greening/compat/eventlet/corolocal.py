"""eventlet.corolocal: attributes of green threads."""

from greening.sync.local import local
from greening.threads.identity import get_ident

__all__ = ["get_ident", "local"]
