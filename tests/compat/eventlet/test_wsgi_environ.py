"""The environ of a request, from the attributes of a protocol."""

from http.client import HTTPMessage
from types import SimpleNamespace
from typing import Any

import pytest

from greening.compat.eventlet.wsgi_environ import addr_to_host_port, environ_of, formal_name


class Message(HTTPMessage):
    def get_default_type(self) -> str:
        return "text/none"


def protocol(path: str = "/a%20b?c=d", address: Any = ("1.2.3.4", 5), **fields: str) -> Any:
    message = Message()
    for name, value in fields.items():
        message[name.replace("__", "-")] = value
    return SimpleNamespace(
        server=SimpleNamespace(get_environ=lambda: {"wsgi.version": (1, 0)}),
        headers=message,
        path=path,
        command="GET",
        request_version="HTTP/1.1",
        request=SimpleNamespace(getsockname=lambda: address),
        client_address=address,
        rfile=None,
        wfile=object(),
        connection=None,
        formalize_key_naming=lambda name: name.replace("-", "_").upper() + "_X",
    )


def test_what_a_request_is() -> None:
    environ = environ_of(protocol(), True)
    assert (environ["RAW_PATH_INFO"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("/a%20b", "/a b", "c=d")
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("1.2.3.4", "5")
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("1.2.3.4", "5")
    assert environ["CONTENT_TYPE"] == "text/none" and "CONTENT_LENGTH" not in environ
    assert environ["wsgi.version"] == (1, 0)


def test_a_unix_socket_has_a_name_and_no_port() -> None:
    environ = environ_of(protocol(address="/run/x"), True)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == ("unix", "") == addr_to_host_port("/run/x")


def test_fields_that_come_twice_are_joined() -> None:
    asked = protocol()
    for name, value in (("A", "1"), ("a", "2"), ("Cookie", "x"), ("COOKIE", "y"), ("Content-Length", "3")):
        asked.headers[name] = value
    environ = environ_of(asked, True)
    assert (environ["HTTP_A"], environ["HTTP_COOKIE"], environ["CONTENT_LENGTH"]) == ("1,2", "x; y", "3")
    assert environ["wsgi.input"].content_length == 3
    assert environ["headers_raw"][:2] == (("A", "1"), ("a", "2"))


@pytest.mark.parametrize("name", ["X_Y", "Proxy", "PROXY"])
def test_names_that_would_pass_for_others_are_left_out(name: str) -> None:
    environ = environ_of(protocol(**{name: "v"}), True)
    assert "v" not in environ.values() and environ["headers_raw"] == ((name, "v"),)


def test_a_protocol_may_name_fields_in_its_own_way() -> None:
    environ = environ_of(protocol(A__B="v"), False)
    assert environ["HTTP_A_B_X"] == "v" and "HTTP_A_B" not in environ
    assert formal_name("A-b") == "A_B"


def test_a_client_that_waits_is_told_at_the_first_read() -> None:
    asked = protocol(Expect="100-Continue")
    assert environ_of(asked, True)["wsgi.input"].wfile is asked.wfile
    asked.request_version = "HTTP/1.0"
    assert environ_of(asked, True)["wsgi.input"].wfile is None
