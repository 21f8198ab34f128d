"""A connection string of libpq, taken apart into attempts: one address each, its name looked up greenly.

Facts: libpq looks names up with getaddrinfo, which blocks the OS thread. Where it is driven from outside, by
PQconnectPoll, it leaves `connect_timeout` to the caller, which cannot tell it to go on with the next address.
Decision: names are looked up here, and each address is an attempt with a limit of its own, in the order in which libpq
would have tried them. The host's name stays beside its address: certificates and password files are about names.

Source: PostgreSQL's documentation, "Parameter Key Words" and "Specifying Multiple Hosts".
"""

import _socket
import ipaddress
from collections.abc import Callable, Iterator, Mapping
from random import shuffle

from greening.net.dns import getaddrinfo

Parameters = dict[str, str]

# The variables of libpq for what is not in the connection string.
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


def addresses_of(name: str) -> list[str]:
    """The numeric addresses of a name, as the system orders them. Raises OSError."""
    found = getaddrinfo(name, None, type=_socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def attempts(
    params: Mapping[str, str], environment: Mapping[str, str], look_up: Callable[[str], list[str]] = addresses_of
) -> list[Parameters]:
    """The parameters of each attempt, in the order of libpq.

    Args:
        params: what the connection string says, by keyword.
        environment: where libpq looks for what it does not say.
        look_up: a host's name -> its addresses.
    Raises:
        OSError: none of the names could be looked up. ValueError: as many ports as hosts are needed, or one.
    """
    given = {name: params.get(name) or environment.get(variable, "") for name, variable in _VARIABLES.items()}
    hosts, numbers = (given[name].split(",") if given[name] else [] for name in ("host", "hostaddr"))
    if not any(map(_needs_look_up, hosts)) and max(len(hosts), len(numbers)) < 2:
        return [dict(params)]
    found: list[Parameters] = []
    failure: OSError | None = None
    for place in _places(hosts, numbers, given["port"]):
        try:
            found += [{**params, **one} for one in _by_address(place, look_up)]
        except OSError as error:
            failure = error
    if not found and failure is not None:
        raise failure
    if params.get("load_balance_hosts") == "random":
        shuffle(found)
    if given["target_session_attrs"] == "prefer-standby":  # all of them as standby first, then as anything
        return [{**one, "target_session_attrs": wish} for wish in ("standby", "any") for one in found]
    return found


def _places(hosts: list[str], numbers: list[str], ports: str) -> Iterator[Parameters]:
    count = max(len(hosts), len(numbers))
    if hosts and numbers and len(hosts) != len(numbers):
        raise ValueError(f"{len(hosts)} host names and {len(numbers)} host addresses: as many are needed")
    port_of = ports.split(",") if ports else [""]
    if len(port_of) not in (1, count):
        raise ValueError(f"{len(port_of)} ports for {count} hosts: one is needed, or as many")
    for position in range(count):
        place = {"host": hosts[position] if hosts else "", "hostaddr": numbers[position] if numbers else ""}
        place["port"] = port_of[position % len(port_of)]
        yield place


def _by_address(place: Parameters, look_up: Callable[[str], list[str]]) -> Iterator[Parameters]:
    if place["hostaddr"] or not _needs_look_up(place["host"]):
        yield {name: value for name, value in place.items() if value}
        return
    try:
        addresses = look_up(place["host"])
    except OSError as error:
        told = error.strerror or error
        raise OSError(f'could not translate host name "{place["host"]}" to address: {told}') from error
    for address in addresses:
        yield {name: value for name, value in {**place, "hostaddr": address}.items() if value}


def _needs_look_up(host: str) -> bool:
    """False for an address, for the folder of a Unix socket (which begins with / or @), and for the default."""
    if not host or host[0] in "/@":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
