"""The log of `eventlet.wsgi`."""

import re
import time
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from greening.compat.eventlet import wsgi
from greening.compat.eventlet.wsgi_log import LoggerFileWrapper, LoggerNull, RequestLine, get_logger
from greening.compat.eventlet.wsgi_protocol import HttpProtocol
from greening.wsgi.log import DEFAULT_FORMAT
from tests.compat.eventlet.conftest import ServeEventlet


def test_a_logger_is_taken_as_it_is() -> None:
    class Logger:
        def info(self, *args: Any) -> None: ...

        debug = info

    logger = Logger()
    assert get_logger(logger, False) is logger


def test_a_file_gets_lines_and_what_is_for_debugging_only_when_wanted() -> None:
    file = StringIO()
    quiet, loud = get_logger(file, False), get_logger(file, True)
    quiet.debug("no")
    quiet.info("a %s", 1)
    quiet.error("100 %")
    loud.debug("b")
    assert file.getvalue() == "a 1\n100 %\nb\n"


def test_without_a_log_it_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    get_logger(None, True).info("said")
    LoggerNull().error("nothing")
    assert capsys.readouterr().err == "said\n"


def test_the_names_are_those_of_wsgi() -> None:
    assert (wsgi.LoggerFileWrapper, wsgi.LoggerNull, wsgi.get_logger) == (LoggerFileWrapper, LoggerNull, get_logger)


def test_the_date_is_written_as_by_http_server(serve_eventlet: ServeEventlet) -> None:
    running = serve_eventlet(log_format="%(client_ip)s|%(date_time)s|%(request_line)s|%(status_code)s|%(body_length)s")
    began = int(time.time())
    running.get()
    running.stop()
    line = next(one for one in running.log.getvalue().splitlines() if "|" in one)
    assert re.fullmatch(r"127\.0\.0\.1\|\d\d/\w{3}/\d{4} \d\d:\d\d:\d\d\|GET / HTTP/1\.1\|200\|\d+", line), line
    written = time.mktime(time.strptime(line.split("|")[1], "%d/%b/%Y %H:%M:%S"))
    assert began <= written <= time.time()


def test_a_subclass_says_dates_and_clients_as_it_likes(serve_eventlet: ServeEventlet) -> None:
    class Mine(HttpProtocol):
        def log_date_time_string(self) -> str:
            return "today"

        def get_client_address(self) -> tuple[Any, Any]:
            return "somebody", 1

    running = serve_eventlet(protocol=Mine, log_format="%(client_ip)s|%(client_port)s|%(date_time)s|")
    running.get()
    running.stop()
    assert "somebody|1|today|\n" in running.log.getvalue()


@pytest.mark.parametrize("address", [("1.2.3.4", 5), ("9.9.9.9,\x1b,1.2.3.4", 5), "/run/x"])
@pytest.mark.parametrize("line", ["GET / HTTP/1.1", 'GET /"\x7f' + "x" * 2000])
def test_the_default_line_is_that_of_the_default_format(address: Any, line: str) -> None:
    protocol = SimpleNamespace(
        get_client_address=lambda: address, environ={}, requestline=line, log_date_time_string=lambda: "today"
    )
    made = RequestLine(protocol, 200, 7, 0.25)
    assert made.default() == DEFAULT_FORMAT % made
