"""The accept loop that every server here shares: an error of one connection does not affect the others.

Facts: accept(2) reports errors of the connection that it was about to return, and that connection is gone. It also
fails when descriptors or memory run out, which passes. `SSLSocket.accept` shakes hands before it returns.
Decision: errors of a connection are passed over. After a lack of room the loop logs it once, pauses, and goes on; if it
lasts, a connection that can be spared has to go (`give_way`). The handshake belongs to the connection's own green
thread and has a deadline, so that a silent client costs one place.
"""

import errno
import logging
import os
import socket as _stdlib
import ssl
from collections.abc import Callable
from typing import Any

from greening._core.current import current
from greening._core.waiting import sleep
from greening._originals import strerror
from greening.net.socket import GreenSocket
from greening.net.tls import wrapped

# Error numbers of accept(2) that belong to one connection, which is gone already. The next one may be well.
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
# Error numbers of accept(2) that belong to the process or the machine, and pass.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# Seconds to wait after such an error. nginx pauses for half a second, trio for a tenth.
_PAUSE = 0.1
_SHORT_PAUSE = 0.02  # the first time: it may pass, before a connection has to give way

# Seconds that a client which speaks no TLS has to take the answer.
_LINGER = 2.0

# Seconds for a whole handshake, unless the user of a server says otherwise.
HANDSHAKE_TIMEOUT = 10.0

_log = logging.getLogger("greening.net")


class Acceptor:
    """Takes connections off a listening socket.

    Args:
        listener: a socket that listens already. A TLS socket (`wrap_ssl`) brings its context.
        ssl_context: TLS for the connections of an ordinary listener.
        handshake_timeout: seconds for a whole handshake, relative; None: no limit.
        plain_answer: what a client gets that begins with a letter, as all requests of plain HTTP do and TLS does not.
        give_way: called when descriptors run out: closes a connection that can be spared. False: it cannot, at once.
    """

    def __init__(
        self,
        listener: Any,
        ssl_context: ssl.SSLContext | None = None,
        handshake_timeout: float | None = None,
        plain_answer: bytes | None = None,
        give_way: Callable[[], bool] | None = None,
    ) -> None:
        self.listener = listener
        self._give_way = give_way
        self._plain_answer = plain_answer
        self._handshake_timeout = handshake_timeout
        self._is_tls = isinstance(listener, _stdlib.socket) and hasattr(listener, "do_handshake")
        self._context = listener.context if self._is_tls and ssl_context is None else ssl_context
        self._ragged = getattr(listener, "suppress_ragged_eofs", True)
        self._exhausted = False

    @property
    def tls(self) -> bool:
        """True: a connection has to shake hands (`secure`) before it is used."""
        return self._context is not None

    def accept(self) -> tuple[Any, Any]:
        """Park until there is a connection; return it, without its handshake, and its address.

        Raises:
            OSError: accept(2) failed for good, for example because the listener was closed.
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
            sleep(_SHORT_PAUSE)
        elif self._give_way is None or not self._give_way():
            sleep(_PAUSE)

    def secure(self, connection: Any, wrapped_as: Callable[[Any], object] | None = None) -> Any:
        """Shake hands over an accepted connection. Returns the TLS socket; None: it failed, and all is closed.

        Args:
            wrapped_as: called with the TLS socket before the handshake. `connection` is of no use any more then.
        """
        assert self._context is not None
        secured = None
        try:
            connection.settimeout(self._handshake_timeout)
            if self._plain_answer is not None:
                began = current().hub.now()
                # RFC 8446 5.1: TLS begins with the byte 22. Looked at, not taken.
                if connection.recv(1, _stdlib.MSG_PEEK).isalpha():
                    _answer_plainly(connection, self._plain_answer)
                    return None
                if self._handshake_timeout is not None:
                    connection.settimeout(max(1e-3, self._handshake_timeout - (current().hub.now() - began)))
            secured = wrapped(self._context, connection, server_side=True, suppress_ragged_eofs=self._ragged)
            if wrapped_as is not None:
                wrapped_as(secured)
            secured.do_handshake()
        except OSError:  # ssl.SSLError and TimeoutError are among them: nonsense, a reset, the deadline
            (connection if secured is None else secured).close()
            return None
        except BaseException:
            (connection if secured is None else secured).close()
            raise
        secured.settimeout(None)
        return secured


def _answer_plainly(connection: Any, answer: bytes) -> None:
    """Send it, and read on for a while: a reset, because of bytes that nobody has read, would take it from the client.

    Raises: OSError.
    """
    with connection:
        connection.settimeout(_LINGER)
        connection.sendall(answer)
        connection.shutdown(_stdlib.SHUT_WR)
        end = current().hub.now() + _LINGER
        while connection.recv(65536) and (left := end - current().hub.now()) > 0:
            connection.settimeout(left)


def server_context(
    certfile: str | os.PathLike[str],
    keyfile: str | os.PathLike[str] | None = None,
    *,
    password: str | bytes | Callable[[], str | bytes] | None = None,
    ca_certs: str | os.PathLike[str] | None = None,
    cert_reqs: ssl.VerifyMode = ssl.CERT_NONE,
    minimum_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    ciphers: str | None = None,
) -> ssl.SSLContext:
    """Make a context for an HTTP/1.1 server, with a certificate and ALPN that offers `http/1.1`.

    Its `load_cert_chain` may be called again at any time: new connections get the new certificate.

    Args:
        certfile: path of a PEM file with the certificate and its chain.
        keyfile: path of a PEM file with the private key; None: it is in `certfile`.
        password: of an encrypted key, or a function that returns it. None: an encrypted key is an error.
        ca_certs: path of a PEM file, or of a hashed folder, with the authorities of clients' certificates.
        cert_reqs: ssl.CERT_OPTIONAL: a certificate of the client is verified if it has one; ssl.CERT_REQUIRED: it must
            have one.
        minimum_version: of TLS.
        ciphers: of TLS 1.2 and before, in OpenSSL's format; None: OpenSSL's choice.
    Raises:
        OSError: a file cannot be read, or the key is encrypted and there is no password.
        ssl.SSLError: a file does not hold what it should, the password is wrong, or there is no such cipher.
    Difference from `SSLContext.load_cert_chain`: nothing is ever asked for on the terminal.
    Source: RFC 7301 (ALPN), openssl-ciphers(1).
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = minimum_version
    if ciphers is not None:
        context.set_ciphers(ciphers)

    def refuse() -> bytes:
        raise OSError(
            errno.EACCES, "the private key is encrypted, and there is no password for it", keyfile or certfile
        )

    context.load_cert_chain(certfile, keyfile, refuse if password is None else password)
    if ca_certs is not None:
        folder = os.path.isdir(ca_certs)
        context.load_verify_locations(None if folder else ca_certs, ca_certs if folder else None)
    context.verify_mode = cert_reqs
    context.set_alpn_protocols(["http/1.1"])
    return context
