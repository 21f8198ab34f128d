"""eventlet.green.OpenSSL: pyOpenSSL with connections that let others run while they wait.

Raises ImportError where pyOpenSSL is not installed.
"""

from OpenSSL import crypto, version

from greening.compat.eventlet.green.OpenSSL import SSL

__all__ = ["SSL", "crypto", "version"]
