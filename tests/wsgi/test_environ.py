"""The environ of a request, and `wsgi.file_wrapper`: files by sendfile(2), everything else by reading."""

import io
import os
import struct
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import pytest

from greening.sync.event import Event
from greening.testing import settle
from greening.wsgi import response as response_module
from greening.wsgi.environ import FileWrapper, extent, template

CONTENT = os.urandom(1 << 20)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "file"
    file.write_bytes(CONTENT)
    return file


def giving(make: Any, headers: Any = ()) -> Any:
    files = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", list(headers))
        files.append(make())
        return environ["wsgi.file_wrapper"](files[-1])

    app.files = files  # type: ignore[attr-defined]  # for the test
    return app


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file(serve: Any, path: Path, buffering: int) -> None:
    app = giving(lambda: path.open("rb", buffering))
    client = serve(app).connect()
    for _ in range(2):
        answer = client.get()
        assert answer.body == CONTENT
        assert answer.fields["content-length"] == str(len(CONTENT))
    assert all(file.closed for file in app.files)


def test_a_file_is_sent_from_where_it_stands(serve: Any, path: Path) -> None:
    def make() -> Any:
        file = path.open("rb")
        file.read(1000)
        return file

    client = serve(giving(make)).connect()
    assert client.get().body == CONTENT[1000:]
    assert client.get().body == CONTENT[1000:]


def test_never_more_than_content_length(serve: Any, path: Path) -> None:
    running = serve(giving(lambda: path.open("rb"), [("Content-Length", "10")]))
    client = running.connect()
    assert client.get().body == CONTENT[:10]
    assert client.get().body == CONTENT[:10]
    assert "longer than its Content-Length" in running.log.getvalue()


def test_a_file_that_is_too_short_ends_the_connection(serve: Any, path: Path) -> None:
    client = serve(giving(lambda: path.open("rb"), [("Content-Length", str(len(CONTENT) + 1))])).connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    client.until(b"\r\n\r\n")
    assert client.rest() == CONTENT


def test_an_empty_file(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    client = serve(giving(lambda: (tmp_path / "empty").open("rb"))).connect()
    for _ in range(2):
        answer = client.get()
        assert (answer.body, answer.fields["content-length"]) == (b"", "0")


def test_head_of_a_file(serve: Any, path: Path) -> None:
    app = giving(lambda: path.open("rb"), [("Content-Length", str(len(CONTENT)))])
    client = serve(app).connect()
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.answer(head_only=True).fields["content-length"] == str(len(CONTENT))
    assert client.get().body == CONTENT
    assert all(file.closed for file in app.files)


def test_what_is_no_file_is_read(serve: Any, path: Path) -> None:
    class Reads:
        def __init__(self) -> None:
            self.left = 3

        def read(self, size: int) -> bytes:
            self.left -= 1
            return b"x" * size if self.left >= 0 else b""

    assert serve(giving(lambda: io.BytesIO(CONTENT))).connect().get().body == CONTENT
    assert serve(giving(Reads)).connect().get().body == b"x" * 65536 * 3


def test_a_text_file_is_an_error(serve: Any, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    with (tmp_path / "text").open() as file:
        assert extent(FileWrapper(file)) is None
    assert serve(giving(lambda: (tmp_path / "text").open())).connect().get().status == 500


def test_a_pipe_is_read(serve: Any) -> None:
    def make() -> Any:
        reader, writer = os.pipe()
        os.write(writer, b"hello")
        os.close(writer)
        return os.fdopen(reader, "rb")

    assert serve(giving(make)).connect().get().body == b"hello"


def test_files_of_clients_that_read_slowly(serve: Any, path: Path) -> None:
    """sendfile(2) fills the socket, waits, and goes on where it was."""
    client = serve(giving(lambda: path.open("rb"))).connect()
    for _ in range(8):
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert all(client.answer().body == CONTENT for _ in range(8))


def test_a_file_is_not_read_into_the_process(serve: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileWrapper, "__iter__", None)
    assert serve(giving(lambda: path.open("rb"))).connect().get().body == CONTENT
    assert response_module.FileWrapper is FileWrapper


def test_an_environ_of_one_s_own(serve: Any) -> None:
    told = serve(environ={"SCRIPT_NAME": "/mounted", "wsgi.url_scheme": "https", "mine": "x"}).accepts(GET)
    assert (told["SCRIPT_NAME"], told["wsgi.url_scheme"], told["mine"]) == ("/mounted", "https", "x")


def test_every_environ_has_what_pep_3333_asks_for(serve: Any) -> None:
    seen = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append(environ)
        start_response("204 No Content", [])
        return []

    running = serve(app)
    client = running.connect()
    client.get()
    environ = seen[0]
    assert environ["wsgi.version"] == (1, 0)
    assert environ["wsgi.multithread"] is True
    assert environ["wsgi.multiprocess"] is environ["wsgi.run_once"] is False
    assert environ["wsgi.input_terminated"] is True
    assert environ["SERVER_PORT"] == str(running.address[1])
    assert environ["REMOTE_PORT"] == str(client.sock.getsockname()[1])
    assert environ["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert environ["wsgi.input"] is environ["eventlet.input"]
    assert template(("h", 1), True, None)["HTTPS"] == "on"


def test_a_device_is_not_for_sendfile() -> None:
    with open("/dev/zero", "rb", buffering=0) as device:
        assert extent(FileWrapper(device)) is None


def test_a_client_that_is_gone_ends_a_file(serve: Any, path: Path) -> None:
    entered: Event = Event()
    gone: Event = Event()

    def make() -> Any:
        entered.send()
        gone.wait()
        return path.open("rb")

    running = serve(giving(make), debug=True)
    client = running.connect()
    client.send(GET)
    entered.wait()
    client.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    gone.send()
    settle()
    assert not running.server.connections
    assert "Traceback" not in running.log.getvalue()
