import io
import socket
from email.message import Message

import pytest

from greening.compat.eventlet.wsgi_head import (
    ClientGoneError,
    HeaderLineTooLong,
    HeadersTooLarge,
    HeadFile,
    check_framing,
    has_more,
    message_of,
    path_of,
    read_request_line,
    without_length,
)
from greening.wsgi.errors import Refused
from greening.wsgi.limits import Limits
from greening.wsgi.request_head import read_head

LIMITS = Limits()


def buffered(data: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(data))  # type: ignore[arg-type]  # it has what is needed


FILES = [buffered, io.BytesIO]


@pytest.mark.parametrize("make", FILES)
def test_a_request_line_is_taken_off_the_file(make) -> None:  # type: ignore[no-untyped-def]
    file = make(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert read_request_line(file, 100, LIMITS) == b"GET / HTTP/1.1\r\n"
    assert file.read(4) == b"Host"


@pytest.mark.parametrize("make", FILES)
def test_no_more_than_the_limit_is_read_of_a_line(make) -> None:  # type: ignore[no-untyped-def]
    file = make(b"GET /" + b"x" * 100)
    assert read_request_line(file, 10, LIMITS) == b"GET /xxxxx"


def test_a_line_that_cannot_be_one_is_refused_before_it_ends() -> None:
    """Otherwise the rest of it would be waited for."""
    for data in (b"GET / HTTP/1.1\rHost: a\r", b"GET /\0", b" GET / HTTP/1.1"):
        ours, theirs = socket.socketpair()
        with ours, theirs, ours.makefile("rb") as file:
            theirs.sendall(data)
            with pytest.raises(Refused):
                read_request_line(file, 8192, LIMITS)


def test_a_parser_of_its_own_gets_all_but_control_characters() -> None:
    assert read_request_line(buffered(b"hello\xff\n"), 100, None) == b"hello\xff\n"
    with pytest.raises(Refused, match="control"):
        read_request_line(buffered(b"hel\0lo\r\n"), 100, None)


@pytest.mark.parametrize("make", FILES)
def test_a_head_is_read_up_to_its_end(make) -> None:  # type: ignore[no-untyped-def]
    file = make(b"Host: a\r\nX: b\r\n\r\nbody")
    head = HeadFile(file, 100, 1000).rest(b"GET / HTTP/1.1\r\n", LIMITS)
    assert head == b"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\r\n"
    assert file.read() == b"body"


@pytest.mark.parametrize("make", FILES)
def test_a_head_without_fields(make) -> None:  # type: ignore[no-untyped-def]
    file = make(b"\r\nbody")
    assert HeadFile(file, 100, 1000).rest(b"GET / HTTP/1.0\r\n", LIMITS) == b"GET / HTTP/1.0\r\n\r\n"
    assert file.read() == b"body"


@pytest.mark.parametrize("make", FILES)
@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (b"X: " + b"y" * 100 + b"\r\nY: 1\r\n\r\n", HeaderLineTooLong),
        (b"X: " + b"y" * 100, HeaderLineTooLong),
        (b"X: yyyyyy\r\n" * 100, HeadersTooLarge),
        (b"Host: a\r\n", ClientGoneError),
        (b"Host : a\r\nX", Refused),
        (b" folded\r\n", Refused),
        (b"Host: a\nX: y", Refused),
    ],
)
def test_heads_that_are_none(make, fields: bytes, error: type[Exception]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error):
        HeadFile(make(fields), 100, 1000).rest(b"GET / HTTP/1.1\r\n", LIMITS)


def test_a_parser_that_reads_lines_is_limited_as_well() -> None:
    head = HeadFile(io.BytesIO(b"X: y\r\n" * 30), 100, 20)
    assert head.readline() == head.readline(65537) == b"X: y\r\n"
    with pytest.raises(HeadersTooLarge):
        for _ in range(3):
            head.readline()
    with pytest.raises(HeaderLineTooLong):
        HeadFile(io.BytesIO(b"y" * 200), 100, 1000).readline(65537)


def test_a_message_keeps_names_and_order() -> None:
    head = read_head(b"GET / HTTP/1.1\r\nhOst: a\r\nX: 1\r\nx:  2 \r\n\r\n", LIMITS)
    assert list(message_of(head, Message).raw_items()) == [("hOst", "a"), ("X", "1"), ("x", "2")]


def test_the_host_of_an_absolute_target_counts() -> None:
    head = read_head(b"GET http://real:80/p?q HTTP/1.1\r\nHost: other\r\n\r\n", LIMITS)
    assert message_of(head, Message)["Host"] == "real:80"
    assert path_of(head) == "/p?q"
    head = read_head(b"GET http://real HTTP/1.0\r\n\r\n", LIMITS)
    assert message_of(head, Message)["Host"] == "real"
    assert path_of(head) == "/"


@pytest.mark.parametrize(
    ("line", "path"),
    [(b"GET /a?", "/a?"), (b"GET /?u=http://x/", "/?u=http://x/"), (b"OPTIONS *", "*"), (b"CONNECT h:1", "h:1")],
)
def test_other_targets_stay_as_they_are(line: bytes, path: str) -> None:
    assert path_of(read_head(line + b" HTTP/1.1\r\nHost: a\r\n\r\n", LIMITS)) == path


@pytest.mark.parametrize(
    ("target", "path"), [(b"//evil.test/a?b", "/evil.test/a?b"), (b"////", "/"), (b"/a//b", "/a//b")]
)
def test_a_path_begins_with_one_slash_so_that_redirects_to_it_stay_here(target: bytes, path: str) -> None:
    assert path_of(read_head(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n", LIMITS)) == path


@pytest.mark.parametrize(
    ("fields", "certain"),
    [
        ([], True),
        ([("Content-Length", "5"), ("Content-Length", "5")], True),
        ([("Content-Length", "5"), ("Content-Length", "6")], None),
        ([("Content-Length", "+5")], None),
        ([("Content-Length", "\xb2")], None),
        ([("Transfer-Encoding", "Chunked")], True),
        ([("Transfer-Encoding", "gzip, chunked")], False),
        ([("Transfer-Encoding", "chunked"), ("Content-Length", "5")], None),
    ],
)
def test_the_framing_of_a_head_that_others_have_parsed(fields: list[tuple[str, str]], certain: bool | None) -> None:
    message = Message()
    for field in fields:
        message.set_raw(*field)
    if certain is None:
        with pytest.raises(Refused):
            check_framing(message, True)
    else:
        assert check_framing(message, True) is certain


def test_both_lengths_may_be_let_pass() -> None:
    message = Message()
    message["Transfer-Encoding"], message["Content-Length"] = "chunked", "5"
    assert check_framing(message, False)
    line = b"POST / HTTP/1.1\r\n"
    both = line + b"Content-Length: 5\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert without_length(both) == line + b"Host: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    one = line + b"Host: a\r\nContent-Length: 5\r\n\r\n"
    assert without_length(one) == one


def test_bytes_behind_a_head_are_seen_without_waiting() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as file:
        assert not has_more(file, ours)
        assert ours.gettimeout() is None
        theirs.sendall(b"ab")
        assert file.read(1) == b"a" and has_more(file, ours)


def test_a_parser_that_reads_lines_gets_a_head_and_no_more() -> None:
    file = buffered(b"X: y\r\nZ: 1\r\n\r\nbody")
    head = HeadFile(file, 100, 1000)
    assert [head.readline(), head.readline(2), head.readline(), head.readline()] == [
        b"X: y\r\n",
        b"Z:",
        b" 1\r\n",
        b"\r\n",
    ]
    assert head.at_its_end and file.read() == b"body"
    file = buffered(b"\r\nbody")
    head = HeadFile(file, 100, 1000)
    assert head.readline() == b"\r\n" and head.at_its_end and file.read() == b"body"


def test_what_such_a_parser_leaves_is_known() -> None:
    head = HeadFile(buffered(b"X: y\r\nZ: 1\r\n\r\n"), 100, 1000)
    head.readline()
    assert not head.at_its_end
