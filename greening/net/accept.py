"""The accept loop that every server here shares: what goes wrong with one connection is nobody else's business.

Facts: accept(2) reports errors of the connection it was about to return, which is gone; and it fails when descriptors
or memory run out, which passes. `SSLSocket.accept` shakes hands before it returns.
Decision: the former are passed over; after the latter it pauses, says so once, and goes on; the handshake belongs to
the connection's own green thread and has a deadline, so that a silent client costs a place and nothing else.
"""

import errno
import logging
import os
import socket as _stdlib
import ssl
from typing import Any

from greening._core.waiting import sleep
from greening._originals import strerror
from greening.net.socket import GreenSocket
from greening.net.tls import shake_hands

# accept(2): these belong to one connection that is gone already; the next one may be well.
_GONE = {
    errno.ECONNABORTED,
    errno.EPROTO,
    errno.ENETDOWN,
    errno.ENOPROTOOPT,
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.EHOSTUNREACH,
    errno.EOPNOTSUPP,
    errno.ENETUNREACH,
    errno.EPERM,
    errno.ETIMEDOUT,
}
# These belong to the process or the machine, and pass: wait a moment. nginx pauses for half a second, trio for a tenth.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_PAUSE = 0.1

HANDSHAKE_TIMEOUT = 10.0  # seconds, for a whole one

_log = logging.getLogger("greening.net")


class Acceptor:
    """Takes connections off a listening socket.

    Args:
        listener: listens already. One that is TLS itself (`wrap_ssl`) brings its context.
        ssl_context: TLS for what an ordinary listener accepts.
        handshake_timeout: seconds for the whole handshake; None: however long it takes.
    """

    def __init__(
        self, listener: Any, ssl_context: ssl.SSLContext | None = None, handshake_timeout: float | None = None
    ) -> None:
        self.listener = listener
        self._handshake_timeout = handshake_timeout
        self._is_tls = isinstance(listener, _stdlib.socket) and hasattr(listener, "do_handshake")
        self._context = listener.context if self._is_tls and ssl_context is None else ssl_context
        self._ragged = getattr(listener, "suppress_ragged_eofs", True)
        self._exhausted = False

    @property
    def tls(self) -> bool:
        """Connections are to shake hands first."""
        return self._context is not None

    def accept(self) -> tuple[Any, Any]:
        """The next connection, without its handshake, and its address. Parks until there is one.

        Raises:
            OSError: it failed for good, e.g. because the listener was closed.
        """
        while True:
            try:
                found = GreenSocket.accept(self.listener) if self._is_tls else self.listener.accept()
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest(error)
                elif error.errno not in _GONE:
                    raise
            else:
                self._exhausted = False
                return found

    def _rest(self, error: OSError) -> None:
        if not self._exhausted:
            self._exhausted = True
            _log.warning("accept: %s; new connections wait until there is room again", strerror(error.errno or 0))
        sleep(_PAUSE)

    def secure(self, connection: Any) -> Any:
        """TLS over an accepted connection: shakes hands. None: that failed, and the connection is closed."""
        assert self._context is not None
        try:
            connection.settimeout(self._handshake_timeout)
            secured = shake_hands(self._context, connection, server_side=True, suppress_ragged_eofs=self._ragged)
        except OSError:  # nonsense, a reset, a deadline: ssl.SSLError and TimeoutError are among them
            connection.close()
            return None
        secured.settimeout(None)
        return secured


def server_context(certfile: str | os.PathLike[str], keyfile: str | os.PathLike[str] | None = None) -> ssl.SSLContext:
    """A context for an HTTP/1.1 server: the certificate, and ALPN (RFC 7301) that offers `http/1.1`.

    Its `load_cert_chain` may be called again at any time: new connections get the new certificate.

    Raises:
        OSError, ssl.SSLError: a file cannot be read, or is not what it should be.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certfile, keyfile)
    context.set_alpn_protocols(["http/1.1"])
    return context
