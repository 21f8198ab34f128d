"""What is logged, where it goes, and that no client can break a line."""

import io
import logging
import sys
from typing import Any

import pytest

from greening.wsgi.log import COMBINED_FORMAT, FIELD, TRACE, Log, escaped, escaped_line, escaped_trace


def test_access_log(serve: Any) -> None:
    running = serve(log_output=True, log_format="%(client_ip)s|%(request_line)s|%(status_code)s|%(body_length)s")
    client = running.connect()
    client.get("/a?b")
    client.send(b"HEAD / HTTP/1.0\r\n\r\n")
    client.rest()
    lines = running.log.getvalue().splitlines()
    assert "wsgi starting up on" in lines[0]
    assert lines[1].startswith("127.0.0.1|GET /a?b HTTP/1.1|200|")
    assert lines[2] == "127.0.0.1|HEAD / HTTP/1.0|200|0"


def test_log_lines_are_one_line_each(serve: Any) -> None:
    running = serve(log_output=True, log_format=COMBINED_FORMAT)
    running.connect().ask(b'GET / HTTP/1.1\r\nHost: a\r\nReferer: "\x9b\\ \xe9\t\r\nUser-Agent: x\ty\r\n\r\n')
    line = running.log.getvalue().splitlines()[-1]
    assert '"GET / HTTP/1.1" 200 ' in line and line.endswith(r' "\x22\x9b\x5c \xe9" "x\x09y"')
    assert line.isascii() and line.isprintable()


def test_a_logger_as_the_log(serve: Any, caplog: pytest.LogCaptureFixture) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise ValueError("100% wrong")

    caplog.set_level(logging.INFO)
    running = serve(app, log=logging.getLogger("wsgi"), log_output=True)
    running.connect().get("/100%25")
    levels = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert any(level == "ERROR" and "100% wrong" in message for level, message in levels)
    assert any(level == "INFO" and '"GET /100%25 HTTP/1.1" 500' in message for level, message in levels)


def test_forwarded_addresses_are_believed_only_when_asked(serve: Any) -> None:
    data = b'GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4, "x\r\n\r\n'
    for believed, expected in ((False, "127.0.0.1"), (True, "1.2.3.4,\\x22x,127.0.0.1")):
        running = serve(log_output=True, log_format="%(client_ip)s", log_x_forwarded_for=believed)
        running.connect().ask(data)
        assert running.log.getvalue().splitlines()[-1] == expected


def test_refusals_are_told_to_a_log_for_debugging(serve: Any) -> None:
    running = serve(debug=True)
    running.refuses(b"GET / HTTP/1.1\r\n\r\n")
    assert "no Host" in running.log.getvalue()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain ~!", "plain ~!"),
        ('a"b\\c', "a\\x22b\\x5cc"),
        ("a\r\nb\x1b", "a\\x0d\\x0ab\\x1b"),
        ("\xe9\u20ac\U0001f331", "\\xe9\\u20ac\\U0001f331"),
    ],
)
def test_what_clients_send_is_printable_ascii_without_quotes(text: str, line: str) -> None:
    assert escaped(text) == line


def test_lines_of_tracebacks_keep_quotes_and_other_alphabets() -> None:
    assert escaped_line('File "\u00e4\u0416"') == 'File "\u00e4\u0416"'
    assert escaped_line("\x1b[31m\n\u2028\U000e0001") == "\\x1b[31m\\x0a\\u2028\\U000e0001"


@pytest.mark.parametrize("character", ["a", "\xff", "\x00", "\u20ac", "\U0001f331"])
def test_text_is_cut_before_it_is_escaped_and_says_how_much_is_missing(character: str) -> None:
    assert escaped(character * FIELD) == escaped(character) * FIELD
    for size in (FIELD + 1, 60_000, 6_000_000):
        assert escaped(character * size) == escaped(character) * FIELD + f"[+{size - FIELD}]"
    assert escaped_line(character * 60_000) == escaped_line(character) * FIELD + f"[+{60_000 - FIELD}]"


def traced(text: str) -> list[str]:
    try:
        raise ValueError(text)
    except ValueError:
        return escaped_trace().split("\n")


def test_lines_of_a_traceback_are_cut_too() -> None:
    assert traced("\x1b" * 60_000)[-1].startswith("ValueError: \\x1b") and len(traced("\x1b" * 60_000)[-1]) < 5 * FIELD
    assert traced("plain")[-1] == "ValueError: plain"


def test_a_client_cannot_make_a_traceback_of_many_lines() -> None:
    lines = traced("\n" * 60_000 + "end")
    assert len(lines) == TRACE + 1
    assert lines[0] == "Traceback (most recent call last):" and lines[-1] == "end"
    assert sum(line.startswith("  [+") and line.endswith(" lines]") for line in lines) == 1


def test_what_a_client_sends_and_an_application_raises_is_cut_in_the_log(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        raise KeyError(environ["HTTP_X"])

    running = serve(app)
    running.connect().ask(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"\x9b" * 60_000 + b"\r\n\r\n")
    said = running.log.getvalue()
    assert "KeyError: '\\x9b" in said and said.isascii()
    assert all(len(line) < 4096 for line in said.splitlines())


def test_a_file_gets_access_lines_and_errors_and_debug_lines_when_asked() -> None:
    for debug in (False, True):
        file = io.StringIO()
        log = Log(file, debug=debug)
        log.access("a")
        log.info("b")
        log.debug("c")
        log.error("d")
        assert file.getvalue() == ("a\nb\nc\nd\n" if debug else "a\nb\nd\n")


def test_without_output_nothing_is_said_of_starting_and_stopping() -> None:
    file = io.StringIO()
    log = Log(file, output=False)
    log.info("b")
    log.error("d")
    assert file.getvalue() == "d\n"


def test_standard_error_is_looked_up_when_a_line_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    log.error("x")
    assert file.getvalue() == "x\n"
    monkeypatch.setattr(sys, "stderr", None)
    log.error("nowhere")


def test_lines_are_no_formats_for_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    log = Log(logging.getLogger("wsgi"))
    for say in (log.access, log.info, log.debug, log.error):
        say("100%")
    levels = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert levels == [(level, "100%") for level in (logging.INFO, logging.INFO, logging.DEBUG, logging.ERROR)]


def test_a_name_is_no_log() -> None:
    with pytest.raises(TypeError, match=r"^a log is a logging.Logger, or a file with write\(\), not 'access.log'$"):
        Log("access.log")
