"""The resolver of `eventlet.support.greendns`: dnspython's, with the file of hosts in front of it.

It is a private copy of dnspython that is green, whether or not the process is patched. So its exceptions are those of
the copy, as in eventlet: `resolve` and its like raise `socket.gaierror`. greening itself asks the system's resolver.
"""

import socket
import time
from pathlib import Path
from typing import Any, Final, NoReturn

from greening.monkey import import_patched

_resolver: Any = import_patched("dns.resolver")
dns: Any = _resolver.dns
A, AAAA, CNAME, IN = dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.CNAME, dns.rdataclass.IN

# Seconds.
DNS_QUERY_TIMEOUT: Final = 10.0
HOSTS_TTL: Final = 10.0

udp = dns.query.udp
tcp = dns.query.tcp
_Answer: Any = _resolver.Answer


class HostsAnswer(_Answer):  # type: ignore[misc]  # dnspython is optional
    """What a `HostsResolver` answers, and what stands for no answer. See `dns.resolver.Answer`."""

    def __init__(self, qname: Any, rdtype: Any, rdclass: Any, rrset: Any, raise_on_no_answer: bool = True) -> None:
        if not rrset and raise_on_no_answer:
            raise _resolver.NoAnswer
        self.response = None
        self.qname = self.canonical_name = qname
        self.rdtype = rdtype
        self.rdclass = rdclass
        self.rrset = rrset
        self.expiration = time.time() + getattr(rrset, "ttl", 0)


class HostsResolver:
    """Answers from a file of hosts: hosts(5).

    Args:
        fname: its path; None: /etc/hosts.
        interval: seconds after which the file is read anew.
    """

    def __init__(self, fname: str | None = None, interval: float = HOSTS_TTL) -> None:
        self.fname = "/etc/hosts" if fname is None else fname
        self.interval = interval
        self._loaded = -interval
        self._addresses: dict[tuple[Any, str], str] = {}
        self._canonical: dict[str, str] = {}

    def _load(self) -> None:
        if time.monotonic() < self._loaded + self.interval:
            return
        self._addresses.clear()
        self._canonical.clear()
        try:
            text = Path(self.fname).read_text("utf-8", "ignore")
        except OSError:  # as if it were empty
            text = ""
        for line in text.splitlines():
            address, *names = line.partition("#")[0].lower().split() or [""]
            kind = AAAA if ":" in address else A
            if address.startswith("fe80") or not names:  # link-local addresses need a scope
                continue
            self._addresses.update(((kind, name), address) for name in names)
            self._canonical.update((alias, names[0]) for alias in names[1:])
        self._loaded = time.monotonic()

    def query(
        self,
        qname: Any,
        rdtype: Any = A,
        rdclass: Any = IN,
        tcp: bool = False,
        source: Any = None,
        raise_on_no_answer: bool = True,
    ) -> HostsAnswer:
        """What the file says: addresses (A, AAAA) or the canonical name (CNAME).

        Args:
            qname: a name: text, bytes, or a `dns.name.Name`. rdclass, tcp, source: without effect.
        Raises:
            dns.resolver.NoAnswer: nothing, and `raise_on_no_answer` is true.
        """
        self._load()
        name = dns.name.from_text(qname) if isinstance(qname, str | bytes) else qname
        text = name.to_text(omit_final_dot=True).lower()
        found = self._canonical.get(text) if rdtype == CNAME else self._addresses.get((rdtype, text))
        rrset = dns.rrset.RRset(name, IN, rdtype)
        rrset.ttl = max(0, self._loaded + self.interval - time.monotonic())
        if found is not None:
            rrset.add(dns.rdata.from_text(IN, rdtype, f"{found}." if rdtype == CNAME else found))
        return HostsAnswer(name, rdtype, IN, rrset, raise_on_no_answer)

    def getaliases(self, hostname: str) -> list[str]:
        """The other names of a host, its canonical one first."""
        self._load()
        canonical = self._canonical.get(hostname, hostname)
        names = [canonical, *(alias for alias, name in self._canonical.items() if name == canonical)]
        return [name for name in names if name != hostname]


class ResolverProxy:
    """Answers from a `HostsResolver`, and else from the servers of a resolv.conf(5).

    Args:
        hosts_resolver: None: ask the servers alone.
        filename: path of the configuration. It is read when it is needed, and after `clear`.
    """

    def __init__(self, hosts_resolver: HostsResolver | None = None, filename: str = "/etc/resolv.conf") -> None:
        self._hosts = hosts_resolver
        self._filename = filename
        self._cached: Any = None

    @property
    def _resolver(self) -> Any:  # eventlet's name, which programs use to set servers
        if self._cached is None:
            self.clear()
        return self._cached

    @_resolver.setter
    def _resolver(self, value: Any) -> None:
        self._cached = value

    def clear(self) -> None:
        """Read the configuration anew, and forget all answers."""
        self._cached = _resolver.Resolver(filename=self._filename)
        self._cached.cache = _resolver.LRUCache()

    def query(
        self,
        qname: Any,
        rdtype: Any = A,
        rdclass: Any = IN,
        tcp: bool = False,
        source: Any = None,
        raise_on_no_answer: bool = True,
        _hosts_rdtypes: tuple[Any, ...] = (A, AAAA),
        use_network: bool = True,
    ) -> Any:
        """Ask the file of hosts, then the servers; a name without a dot also as that of a top-level domain.

        Args:
            qname: a name: text, bytes, or a `dns.name.Name`; None: "0.0.0.0".
            rdtype, rdclass, tcp, source, raise_on_no_answer: as for `dns.resolver.Resolver.resolve`.
            use_network: False: ask the file alone.
        Returns:
            A `dns.resolver.Answer`.
        Raises:
            dns.resolver.NoAnswer: the name has nothing of that type; NXDOMAIN instead if `raise_on_no_answer` is false.
            dns.resolver.NXDOMAIN: there is no such name. Other exceptions of dnspython's: no server has answered.
        """
        name = "0.0.0.0" if qname is None else qname
        if isinstance(name, str | bytes):
            name = dns.name.from_text(name, None)
        if self._hosts is not None and rdclass == IN and rdtype in _hosts_rdtypes:
            known = self._hosts.query(name, rdtype, raise_on_no_answer=False)
            if known.rrset:
                return known
        found: Any = None
        error: Exception = _resolver.NXDOMAIN(qnames=(name,))
        names = [name, name.concatenate(dns.name.root)] if len(name) == 1 else [name]
        for each in names if use_network else ():
            try:
                answer = self._resolver.resolve(each, rdtype, rdclass, tcp, source, False, search=True)
            except Exception as failure:  # noqa: BLE001  # raised below, if nothing is found
                error = failure
                continue
            if not answer.rrset:
                error = _resolver.NoAnswer() if raise_on_no_answer else error
            elif found is None:
                found = answer
            else:
                found.rrset.union_update(answer.rrset)
        if found is None:
            raise error
        return found

    def getaliases(self, hostname: Any) -> list[str]:
        """The other names of a host: those of the file, and those that a chain of CNAMEs leads to."""
        aliases = [] if self._hosts is None else self._hosts.getaliases(hostname)
        while hostname not in aliases[:-1]:
            try:
                hostname = str(self._resolver.resolve(hostname, CNAME, search=True)[0].target)
            except (_resolver.NoAnswer, _resolver.NXDOMAIN):
                break
            aliases.append(hostname)
        return aliases


resolver = ResolverProxy(HostsResolver())


def _give_up(error: Exception) -> NoReturn:
    if isinstance(error, dns.exception.Timeout):
        raise socket.gaierror(socket.EAI_AGAIN, "Lookup timed out") from error
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from error


def resolve(
    name: str,
    family: int = socket.AF_INET,
    raises: bool = True,
    _proxy: ResolverProxy | None = None,
    use_network: bool = True,
) -> Any:
    """Look up the addresses of a host.

    Args:
        family: AF_INET or AF_INET6.
        raises: False: a name that does not exist has an answer without addresses.
        use_network: False: ask the file of hosts alone.
    Returns:
        A `dns.resolver.Answer`: its items have an `address`.
    Raises:
        socket.gaierror: there is none; no server has answered; another family.
    """
    kinds: dict[int, Any] = {socket.AF_INET: A, socket.AF_INET6: AAAA}
    if family not in kinds:
        raise socket.gaierror(socket.EAI_FAMILY, "Address family not supported")
    try:
        return (resolver if _proxy is None else _proxy).query(name, kinds[family], use_network=use_network)
    except (_resolver.NoAnswer, _resolver.NXDOMAIN) as error:
        if raises:
            _give_up(error)
        return HostsAnswer(dns.name.from_text(name), kinds[family], IN, None, False)
    except dns.exception.DNSException as error:
        _give_up(error)


def resolve_cname(host: str) -> str:
    """The canonical name of a host; itself, if it has no other.

    Raises:
        socket.gaierror: it does not exist; no server has answered.
    """
    try:
        return str(resolver.query(host, CNAME)[0].target)
    except _resolver.NoAnswer:
        return host
    except dns.exception.DNSException as error:
        _give_up(error)


def getaliases(host: str) -> list[str]:
    """The other names of a host. Raises: socket.gaierror: no server has answered."""
    try:
        return resolver.getaliases(host)
    except dns.exception.DNSException as error:
        _give_up(error)
