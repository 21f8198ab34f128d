"""`Request`: what a client asks for, and where a redirection leads."""

from typing import Any

import pytest

from greening.websocket.client_handshake import Answer
from greening.websocket.client_request import Request, split
from greening.websocket.exceptions import HandshakeError


def request_for(url: str, *fields: tuple[str, str]) -> Request:
    return Request(split(url), (), None, fields, False)


def redirected(request: Request, location: str) -> Request:
    return request.redirected(Answer(302, (("Location", location),), b""))


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("ws://h", "/", "h"),
        ("ws://h:80/a?b=c", "/a?b=c", "h"),
        ("wss://h:443?q", "/?q", "h"),
        ("wss://h:80/", "/", "h:80"),
        ("ws://u:p@[::1]:8000/", "/", "[::1]:8000"),
    ],
)
def test_target_and_host_are_those_of_the_url(url: str, target: str, host: str) -> None:
    lines = request_for(url).head("key").decode().split("\r\n")
    assert lines[:2] == [f"GET {target} HTTP/1.1", f"Host: {host}"]
    assert "Sec-WebSocket-Key: key" in lines


@pytest.mark.parametrize(
    ("url", "port"), [("ws://h", 80), ("wss://h", 443), ("ws://h:8080", 8080), ("wss://[::1]:8443/", 8443)]
)
def test_the_port_is_that_of_the_scheme_unless_it_is_said(url: str, port: int) -> None:
    assert request_for(url).port == port


@pytest.mark.parametrize(
    ("location", "there"),
    [
        ("/b", "ws://h:1/b"),
        ("c?d", "ws://h:1/a/c?d"),
        ("ws://other/x", "ws://other/x"),
        ("http://other/x#part", "ws://other/x"),
        ("https://h/", "wss://h/"),
        ("//other", "ws://other"),
    ],
)
def test_a_location_is_relative_to_where_it_was_said(location: str, there: str) -> None:
    assert redirected(request_for("ws://h:1/a/b"), location).url.geturl() == there


SECRETS = (("Authorization", "s"), ("COOKIE", "s"), ("proxy-authorization", "s"), ("X", "y"))


def test_secrets_go_to_the_origin_that_they_are_for() -> None:
    request = request_for("ws://user:pass@h/a", *SECRETS)
    for location in ("/b", "ws://h/b", "ws://h:80/b"):
        found = redirected(request, location)
        assert found.fields == SECRETS
        assert (found.url.username, found.url.password) == ("user", "pass")
    for location in ("ws://other/b", "ws://h:81/b", "wss://h/b", "//h.other/b"):
        found = redirected(request, location)
        assert found.fields == (("X", "y"),)
        assert found.url.username is None


@pytest.mark.parametrize("location", ["ws://h/", "http://h/", "//h:80/"])
def test_encryption_is_not_given_up(location: str) -> None:
    if location.startswith("//"):
        assert redirected(request_for("wss://h/"), location).url.scheme == "wss"
        return
    with pytest.raises(HandshakeError, match="not encrypted any more") as caught:
        redirected(request_for("wss://h/"), location)
    assert caught.value.status == 302


@pytest.mark.parametrize("location", ["ftp://h/", "mailto:x", "//[bad", "/a b", "/\xe9", "ws://h:x/", "ws://h:0/"])
def test_a_location_that_leads_nowhere_is_a_handshake_error(location: str) -> None:
    with pytest.raises(HandshakeError, match="redirects to"):
        redirected(request_for("ws://h/"), location)


@pytest.mark.parametrize(
    "changes",
    [
        {"fields": (("X", "a\r\nY: b"),)},
        {"fields": (("a b", "c"),)},
        {"origin": "\n"},
        {"subprotocols": ("a,b",)},
    ],
)
def test_what_cannot_be_sent_is_a_mistake_at_once(changes: dict[str, Any]) -> None:
    given: dict[str, Any] = {"subprotocols": (), "origin": None, "fields": (), "window_bits": 12} | changes
    with pytest.raises(ValueError):
        Request(split("ws://h/"), **given)
