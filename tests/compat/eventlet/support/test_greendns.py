"""eventlet.support.greendns: the system's resolver under eventlet's names."""

import sys
from importlib.util import find_spec

import pytest

from greening.compat.eventlet import support
from greening.compat.eventlet.support import greendns


def test_names_are_looked_up() -> None:
    assert greendns.gethostbyname("127.0.0.1") == "127.0.0.1"
    assert greendns.getaddrinfo("127.0.0.1", 80)[0][4] == ("127.0.0.1", 80)


@pytest.mark.parametrize(
    ("text", "four", "six"),
    [
        ("127.0.0.1", True, False),
        (b"::1", False, True),
        ("fe80::1%lo", False, True),
        ("host", False, False),
        ("1.2.3", False, False),
        (None, False, False),
        (b"\xff", False, False),
    ],
)
def test_what_is_an_address(text: object, four: bool, six: bool) -> None:
    assert greendns.is_ipv4_addr(text) is four
    assert greendns.is_ipv6_addr(text) is six
    assert greendns.is_ip_addr(text) is (four or six)


@pytest.mark.parametrize("name", ["resolve", "ResolverProxy"])
def test_what_needs_dnspython_says_so_where_it_is_not_installed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "greening.compat.dns_resolver", None)

    def not_there(name: str) -> None:
        raise ModuleNotFoundError("No module named 'dns'", name="dns")

    monkeypatch.setattr("importlib.import_module", not_there)
    with pytest.raises(AttributeError, match=r"pip install dnspython; or use getaddrinfo"):
        getattr(greendns, name)
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        _ = greendns.other


@pytest.mark.skipif(find_spec("dns") is None, reason="dnspython is missing")
def test_dnspythons_resolver_is_there_where_it_is_installed() -> None:
    assert greendns.ResolverProxy is greendns.resolver.__class__
    before = greendns.resolver._cached = object()
    greendns.reset()
    assert greendns.resolver._cached is not before


def test_the_helpers_of_the_package() -> None:
    assert support.get_errno(OSError(5, "x")) == 5
    assert support.get_errno(Exception(7)) == 7
    assert support.get_errno(Exception()) is None
    assert support.bytes_to_str(b"x") == "x"
