"""eventlet's `wrap_ssl`, for every Python. (The stdlib's `ssl.wrap_socket` is gone since 3.12.)

It has a file of its own, since `ssl` takes long to import.
"""

import os
import socket
import ssl
from typing import Any

from greening.net.tls import GreenSSLSocket


def wrap_ssl(
    sock: Any,
    keyfile: str | os.PathLike[str] | None = None,
    certfile: str | os.PathLike[str] | None = None,
    server_side: bool = False,
    cert_reqs: int | None = None,
    ssl_version: int | None = None,
    ca_certs: str | os.PathLike[str] | None = None,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    ciphers: str | None = None,
    server_hostname: str | None = None,
) -> Any:
    """Put TLS over `sock`, which is detached: the result has its descriptor.

    A socket that listens may be wrapped as well, and one that will listen later. The sockets that it accepts are TLS
    sockets, and shake hands at their first read or write (as in eventlet): a silent client does not hold up `accept`.

    Args:
        keyfile: path of a PEM file with the private key; None: it is in `certfile`.
        certfile: path of a PEM file with the own certificate; a server needs one.
        server_side: True: `sock` is the server's end.
        cert_reqs: ssl.CERT_NONE (also None), CERT_OPTIONAL or CERT_REQUIRED. With the last two the peer's certificate
            is verified, and with a `server_hostname` its name is checked.
        ssl_version: one of ssl.PROTOCOL_*; None: the best that both sides have.
        ca_certs: path of a PEM file with the trusted authorities; None: the system's.
        do_handshake_on_connect: True: shake hands here, or in `connect`.
        suppress_ragged_eofs: True: an end of the connection without TLS's goodbye is an ordinary end.
        ciphers: a list in OpenSSL's format; None: the defaults.
        server_hostname: the name that a client asks for (SNI) and checks.
    Returns:
        A cooperative `ssl.SSLSocket`.
    Raises:
        ssl.SSLError, OSError, ValueError: as `SSLContext.wrap_socket`.
    Difference from eventlet: with CERT_OPTIONAL and CERT_REQUIRED the certificate really is verified.
    Source: RFC 8446 (TLS 1.3), RFC 6066 (SNI).
    """
    context = _context(ssl_version, server_side, ciphers)
    if cert_reqs is not None and cert_reqs != ssl.CERT_NONE:
        context.check_hostname = server_hostname is not None and not server_side
        context.verify_mode = ssl.VerifyMode(cert_reqs)
        if ca_certs is None:
            context.load_default_certs(ssl.Purpose.CLIENT_AUTH if server_side else ssl.Purpose.SERVER_AUTH)
    if ca_certs is not None:
        context.load_verify_locations(ca_certs)
    if certfile is not None:
        context.load_cert_chain(certfile, keyfile)
    wrapped = context.wrap_socket(
        sock,
        server_side=server_side,
        do_handshake_on_connect=do_handshake_on_connect,
        suppress_ragged_eofs=suppress_ragged_eofs,
        server_hostname=server_hostname,
    )
    if server_side and not _is_connected(wrapped):
        # It can only be used to listen, now or later, and this is about what it accepts.
        wrapped.do_handshake_on_connect = False  # type: ignore[attr-defined]  # typeshed does not know it
    return wrapped


def _is_connected(sock: socket.socket) -> bool:
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _context(version: int | None, server_side: bool, ciphers: str | None) -> ssl.SSLContext:
    protocol = version if version is not None else ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.sslsocket_class = GreenSSLSocket
    if ciphers is not None:
        context.set_ciphers(ciphers)
    return context
