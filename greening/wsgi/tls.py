"""TLS of a server: what is said on the command line, as a context; and what a request tells of it, in the environ.

Facts: OpenSSL asks on the terminal for the password of an encrypted key, also at a reload, where nobody sits. A context
that `sni_callback` puts in place of another gives its certificate alone: whether the client has to show one is decided
by the first (SSL_set_SSL_CTX).
Decisions: a key without its password is an error. All contexts of a server have the same rules.
"""

import os
import ssl
from dataclasses import dataclass
from typing import Any

from greening.net.accept import server_context

PLAIN_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 76\r\n"
    b"Connection: close\r\n\r\n"
    b"400 Bad Request: this port speaks HTTPS, and the request came as plain HTTP\n"
)

REQUIREMENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
REQUIREMENTS |= {str(int(mode)): mode for mode in REQUIREMENTS.values()}  # gunicorn's
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, kw_only=True)
class TlsSettings:
    """Certificates of a server, and what it asks of clients. Paths are of PEM files.

    Args:
        certfile: the certificate and its chain. keyfile: the private key; None: it is in `certfile`.
        keyfile_password_file: has the password of the encrypted keys in its first line.
        sni: "HOST=CERT" or "HOST=CERT,KEY" for each further certificate; HOST may be `*.example.com`. Clients that ask
            for another name, or for none, get `certfile`.
        ca_certs: the authorities of clients' certificates: a file, or a hashed folder.
        cert_reqs: "none", "optional" or "required": whether a client shows a certificate. None: "required" where there
            is `ca_certs`, or else "none".
        tls_min_version: "TLSv1.2" or "TLSv1.3".
        ciphers: of TLS 1.2, in OpenSSL's format; None: OpenSSL's choice.
    Raises:
        ValueError: one of them makes no sense.
    Source: RFC 6066 3 (SNI), RFC 8446, openssl-ciphers(1).
    """

    certfile: str
    keyfile: str | None = None
    keyfile_password_file: str | None = None
    sni: tuple[str, ...] = ()
    ca_certs: str | None = None
    cert_reqs: str | None = None
    tls_min_version: str = "TLSv1.2"
    ciphers: str | None = None

    def __post_init__(self) -> None:
        for text in self.sni:
            split_sni(text)
        if self.cert_reqs is not None and self.cert_reqs not in REQUIREMENTS:
            raise ValueError(f"{self.cert_reqs!r} is neither 'none', 'optional' nor 'required'")
        if self.tls_min_version not in VERSIONS:
            raise ValueError(f"{self.tls_min_version!r} is none of {', '.join(VERSIONS)}")
        if self.ciphers is not None:
            check_ciphers(self.ciphers)
        if self.requirement != ssl.CERT_NONE and self.ca_certs is None:
            raise ValueError("certificates of clients are asked for, and no authority is named: ca_certs")
        if self.requirement == ssl.CERT_NONE and self.ca_certs is not None:
            raise ValueError("ca_certs has no meaning where cert_reqs is 'none'")

    @property
    def requirement(self) -> ssl.VerifyMode:
        """What clients have to show."""
        if self.cert_reqs is None:
            return ssl.CERT_NONE if self.ca_certs is None else ssl.CERT_REQUIRED
        return REQUIREMENTS[self.cert_reqs]

    def context(self) -> ssl.SSLContext:
        """Read all files, and make the context of a server.

        Raises:
            OSError: a file is no good; the text names the file, and what to do.
        """
        password = None if self.keyfile_password_file is None else _password(self.keyfile_password_file)
        default = self._one(self.certfile, self.keyfile, password)
        others: dict[str, ssl.SSLContext] = {}
        for text in self.sni:
            host, certfile, keyfile = split_sni(text)
            others[host] = self._one(certfile, keyfile, password)
        if others:
            default.sni_callback = _chooser(others)
        return default

    def _one(self, certfile: str, keyfile: str | None, password: bytes | None) -> ssl.SSLContext:
        for file in filter(None, (certfile, keyfile, self.ca_certs)):
            try:
                os.stat(file) if os.path.isdir(file) else open(file, "rb").close()
            except OSError as error:
                raise OSError(f"cannot read {file}: {error.strerror}") from None
        if self.ca_certs is not None:
            check_authorities(self.ca_certs)
        files = " and ".join(filter(None, (certfile, keyfile)))
        try:
            return server_context(
                certfile,
                keyfile,
                password=password,
                ca_certs=self.ca_certs,
                cert_reqs=self.requirement,
                minimum_version=VERSIONS[self.tls_min_version],
                ciphers=self.ciphers,
            )
        except ssl.SSLError as error:
            hint = "" if password is None else f" (its password is in {self.keyfile_password_file})"
            raise OSError(f"not a certificate with its private key: {files}{hint}: {error}") from None
        except OSError as error:
            raise OSError(
                f"{error.filename}: {error.strerror}: name a file that has it, keyfile_password_file"
            ) from None


def check_ciphers(text: str) -> None:
    """Raises: ValueError: OpenSSL knows none of them."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(text)
    except ssl.SSLError:
        raise ValueError(f"{text!r}: OpenSSL knows none of these ciphers") from None


def check_authorities(path: str) -> None:
    """Look whether a file has certificates of authorities. A hashed folder is read when a client comes.

    Raises:
        OSError: it has none, or OpenSSL cannot read them; the text names the file.
    """
    if os.path.isdir(path):
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except ssl.SSLError as error:
        raise OSError(f"no certificates of authorities, in PEM, for ca_certs: {path}: {error}") from None


def split_sni(text: str) -> tuple[str, str, str | None]:
    """HOST, in small letters, CERT and KEY of "HOST=CERT,KEY"; None as the last one: there is no KEY.

    Raises:
        ValueError: it has another form.
    """
    host, _, files = text.partition("=")
    certfile, comma, keyfile = files.partition(",")
    if not host or not certfile or (comma and not keyfile) or "," in keyfile or "*" in host.removeprefix("*."):
        raise ValueError(f"{text!r} is not of the form HOST=CERT or HOST=CERT,KEY")
    return host.lower(), certfile, keyfile or None


def _password(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.readline().rstrip(b"\r\n")
    except OSError as error:
        raise OSError(f"cannot read the password of the private key from {path}: {error.strerror}") from None


def _chooser(contexts: dict[str, ssl.SSLContext]) -> Any:
    """A callback of `SSLContext.sni_callback`. A wildcard stands for one label (RFC 6125 6.4.3), and any name wins."""

    def choose(connection: Any, name: str | None, _: ssl.SSLContext) -> None:
        asked = (name or "").lower()
        found = contexts.get(asked) or contexts.get("*." + asked.partition(".")[2])
        if found is not None:
            connection.context = found

    return choose


# The environ

_SHORT_NAMES = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "street",
    "userId": "UID",
}
_SPECIAL = str.maketrans({character: f"\\{character}" for character in '"+,;<>\\'})


def tls_environ(connection: Any) -> dict[str, str]:
    """What Apache's mod_ssl tells a program of a TLS connection: SSL_PROTOCOL, SSL_CIPHER and SSL_CLIENT_VERIFY
    (SUCCESS or NONE). With a verified certificate of the client: SSL_CLIENT_S_DN and _I_DN (RFC 4514),
    SSL_CLIENT_S_DN_CN, SSL_CLIENT_M_SERIAL, SSL_CLIENT_V_START and _V_END, SSL_CLIENT_SAN_DNS_n and _Email_n, and
    SSL_CLIENT_CERT, in PEM.

    Args:
        connection: an `ssl.SSLSocket` that has shaken hands. What else has no such fields: an empty dictionary.
    """
    if not isinstance(connection, ssl.SSLSocket):
        return {}
    cipher = connection.cipher()
    told = {"SSL_PROTOCOL": connection.version() or "", "SSL_CIPHER": cipher[0] if cipher else ""}
    certificate: Any = connection.getpeercert() if connection.context.verify_mode != ssl.CERT_NONE else None
    told["SSL_CLIENT_VERIFY"] = "SUCCESS" if certificate else "NONE"
    if not certificate:
        return told
    subject = certificate.get("subject", ())
    told["SSL_CLIENT_S_DN"] = _distinguished_name(subject)
    told["SSL_CLIENT_I_DN"] = _distinguished_name(certificate.get("issuer", ()))
    told["SSL_CLIENT_S_DN_CN"] = next((value for part in subject for name, value in part if name == "commonName"), "")
    told["SSL_CLIENT_M_SERIAL"] = certificate.get("serialNumber", "")
    told["SSL_CLIENT_V_START"] = certificate.get("notBefore", "")
    told["SSL_CLIENT_V_END"] = certificate.get("notAfter", "")
    for kind, name in (("DNS", "DNS"), ("email", "Email")):
        values = [value for found, value in certificate.get("subjectAltName", ()) if found == kind]
        told.update({f"SSL_CLIENT_SAN_{name}_{number}": value for number, value in enumerate(values)})
    told["SSL_CLIENT_CERT"] = ssl.DER_cert_to_PEM_cert(connection.getpeercert(True) or b"")
    # PEP 3333: text of an environ is bytes, as Latin-1.
    return {name: value.encode("utf-8").decode("latin-1") for name, value in told.items()}


def _distinguished_name(parts: Any) -> str:
    """RFC 4514: the last part first."""
    return ",".join(
        "+".join(f"{_SHORT_NAMES.get(name, name)}={_escaped(value)}" for name, value in part)
        for part in reversed(parts)
    )


def _escaped(value: str) -> str:
    """RFC 4514 2.4."""
    text = value.translate(_SPECIAL).replace("\0", "\\00")
    if text.startswith(("#", " ")):
        text = "\\" + text
    return text[:-1] + "\\ " if text.endswith(" ") and len(value) > 1 else text
