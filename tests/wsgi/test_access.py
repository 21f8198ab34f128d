"""Lines of the access log: what they name, as text and as JSON, and that they stay whole and short."""

import json
import os
import time
from typing import Any

import pytest

from greening.wsgi.access import FIELDS, JSON_FIELDS, LINE, Entry, JsonLine, TextLine, _date_time, _iso_parts
from greening.wsgi.log import COMBINED_FORMAT, DEFAULT_FORMAT


def entry(
    address: Any = ("1.2.3.4", 5),
    environ: Any = None,
    forwarded: bool = False,
    line: str = "GET / HTTP/1.1",
    fields: bytes = b"",
) -> Entry:
    return Entry(address, forwarded, environ or {}, line, 200, 7, 0.5, fields)


def test_the_formats_name_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("greening.wsgi.access._date_time", lambda timestamp: "now")
    assert TextLine(DEFAULT_FORMAT)(entry()) == '1.2.3.4 - - [now] "GET / HTTP/1.1" 200 7 0.500000'
    given = {"HTTP_REFERER": 'a"', "HTTP_USER_AGENT": "b"}
    said = TextLine(COMBINED_FORMAT)(entry(environ=given))
    assert said == '1.2.3.4 - - [now] "GET / HTTP/1.1" 200 7 "a\\x22" "b"'


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("client_ip client_port", "1.2.3.4 5"),
        ("method target path query protocol", "POST /a%20b?c=d&e /a%20b c=d&e HTTP/1.1"),
        ("scheme host", "https example.org"),
        ("status_code status_class body_length", "200 2xx 7"),
        ("wall_seconds wall_ms wall_us", "0.5 500 500000"),
        ("referer user_agent forwarded_for user", "- me 9.9.9.9 ann"),
        ("{x-id}i {Content-Type}i {none}i", "42 text/x -"),
        ("{x-answer}o {LOCATION}o {none}o", "yes \\x22/\\x22 -"),
        ("{my.own}e {none}e", "5 -"),
        ("pid", str(os.getpid())),
    ],
)
def test_fields(names: str, expected: str) -> None:
    given = {
        "wsgi.url_scheme": "https",
        "HTTP_HOST": "example.org",
        "HTTP_USER_AGENT": "me",
        "HTTP_X_FORWARDED_FOR": "9.9.9.9",
        "REMOTE_USER": "ann",
        "HTTP_X_ID": "42",
        "CONTENT_TYPE": "text/x",
        "my.own": 5,
    }
    answer = b'X-Answer: yes\r\nX-Answer-2: no\r\nLocation: "/"\r\n'
    made = TextLine(" ".join(f"%({name})s" for name in names.split()))
    assert made(entry(environ=given, line="POST /a%20b?c=d&e HTTP/1.1", fields=answer)) == expected


@pytest.mark.parametrize(
    ("authorization", "user"),
    [
        ("Basic YW5uOnNlY3JldA==", "ann"),
        ("basic YW5uOnNlY3JldA==", "ann"),
        ("Basic " + "A" * 60_000, "\\x00" * 256 + "[+2816]"),
        ("Basic !", "-"),
        ("Basic \xff", "-"),
        ("Basic OnNlY3JldA==", "-"),
        ("Bearer YW5uOnNlY3JldA==", "-"),
    ],
)
def test_the_user_is_that_of_basic_authentication_and_never_the_password(authorization: str, user: str) -> None:
    assert TextLine("%(user)s")(entry(environ={"HTTP_AUTHORIZATION": authorization})) == user


def test_the_peer_of_a_unix_socket_has_an_address_that_programs_can_read() -> None:
    assert TextLine("%(client_ip)s:%(client_port)s")(entry("")) == "127.0.0.1:0"


def test_forwarded_addresses_come_first_when_that_is_asked_for() -> None:
    given = {"HTTP_X_FORWARDED_FOR": "9.9.9.9, 8.8.8.8"}
    assert TextLine("%(client_ip)s")(entry(environ=given, forwarded=True)) == "9.9.9.9,8.8.8.8,1.2.3.4"


@pytest.mark.parametrize("name", ["nothing", "{}i", "{a}x", "{a}", ""])
def test_a_name_that_a_format_cannot_have_is_a_key_error(name: str) -> None:
    for made in (TextLine, JsonLine):
        if name or made is TextLine:
            with pytest.raises(KeyError):
                made(f"%({name})s")


def test_a_format_that_fills_a_line_by_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="2048 bytes"):
        TextLine("x" * 3000)
    with pytest.raises(ValueError, match="names none"):
        JsonLine("100%%")


@pytest.mark.parametrize("character", ["a", "\xff", "\x00", '"'])
@pytest.mark.parametrize("made", [TextLine(COMBINED_FORMAT), JsonLine(), TextLine("%(referer)s" * 50)])
def test_no_line_is_longer_than_a_pipe_takes_at_once(made: TextLine, character: str) -> None:
    long = character * 60_000
    names = ("HTTP_REFERER", "HTTP_USER_AGENT", "HTTP_HOST", "HTTP_X_FORWARDED_FOR", "REMOTE_USER")
    one = entry(environ=dict.fromkeys(names, long), line=f"GET /{'a' * 60_000} HTTP/1.1", forwarded=True)
    said = made(one)
    assert len(said.encode()) <= LINE and said.isascii() and said.isprintable()
    assert "[+" in said


def test_a_line_that_is_too_long_keeps_its_numbers() -> None:
    one = entry(environ={"HTTP_REFERER": "\xff" * 5000, "HTTP_USER_AGENT": "\xff" * 5000})
    said = TextLine(COMBINED_FORMAT)(one)
    assert '" 200 7 "\\xff' in said and said.endswith('[+4744]"') and said.count('"') == 6


def test_text_of_the_format_itself_counts_in_bytes() -> None:
    said = TextLine("\u20ac" * 600 + "%(referer)s")(entry(environ={"HTTP_REFERER": "\xff" * 1024}))
    assert len(said.encode()) <= LINE and said.endswith("[+768]")


def test_json_has_numbers_as_numbers_and_null_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"HTTP_USER_AGENT": 'a"\\\x7f\x9b', "wsgi.url_scheme": "http"}
    text = JsonLine()(entry(environ=given, line="GET /x?y HTTP/1.1"))
    assert text.isascii() and text.isprintable()
    said = json.loads(text)
    assert list(said) == JSON_FIELDS
    del said["time"]
    assert said == {
        "client_ip": "1.2.3.4",
        "client_port": 5,
        "user": None,
        "scheme": "http",
        "host": None,
        "method": "GET",
        "path": "/x",
        "query": "y",
        "protocol": "HTTP/1.1",
        "status_code": 200,
        "body_length": 7,
        "wall_seconds": 0.5,
        "referer": None,
        "user_agent": 'a"\\\x7f\x9b',
        "pid": os.getpid(),
    }


def test_json_takes_the_names_of_a_format() -> None:
    text = JsonLine("%(status_code)d %% %({x-id}i)s (%(path)s) %(path)s")(entry(environ={"HTTP_X_ID": "1"}))
    assert text == '{"status_code":200,"{x-id}i":"1","path":"/"}'


@pytest.mark.parametrize(
    ("zone", "expected", "iso"),
    [
        ("UTC", "02/Jan/2024:03:04:05 +0000", "2024-01-02T03:04:05.250+00:00"),
        ("XXX3:30", "01/Jan/2024:23:34:05 -0330", "2024-01-01T23:34:05.250-03:30"),
        ("XXX-5:45", "02/Jan/2024:08:49:05 +0545", "2024-01-02T08:49:05.250+05:45"),
    ],
)
def test_dates_are_local_times_with_their_offset(
    zone: str, expected: str, iso: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greening.wsgi.access.time.time", lambda: 1704164645.25)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        for cached in (_date_time, _iso_parts):
            cached.cache_clear()
        said = TextLine("%(date_time)s|%(time)s")(entry())
        for cached in (_date_time, _iso_parts):
            cached.cache_clear()
    time.tzset()
    assert said == f"{expected}|{iso}"


def test_a_server_logs_in_json_when_it_is_told_to(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("404 Not Found", [("X-Id", "7")])
        return [b"no"]

    running = serve(app, log_output=True, log_json=True, log_format="%(path)s %(status_code)s %({x-id}o)s")
    running.connect().get("/a?b")
    assert running.log.getvalue().splitlines()[-1] == '{"path":"/a","status_code":404,"{x-id}o":"7"}'


def test_every_field_is_described() -> None:
    from greening.wsgi.settings import ServerSettings

    described = ServerSettings.__doc__ or ""
    assert [name for name in FIELDS if name not in described] == []
