"""Well-known applications and clients."""

import shutil
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

GET = b"GET /a%20b?c=d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"


def test_wsgiref_s_validator_finds_nothing(serve: Any) -> None:
    def app(environ: Any, start_response: Any) -> Any:
        body = environ["wsgi.input"]
        read = [body.read(2), body.readline(), body.readlines(), *body]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [repr(read).encode()]

    running = serve(validator(app))
    client = running.connect()
    assert client.ask(GET).body == b"[b'', b'', []]"
    assert client.ask(POST + b"Content-Length: 7\r\n\r\nab\ncd\ne").body == b"[b'ab', b'\\n', [b'cd\\n', b'e']]"
    assert client.ask(POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n").body == b"[b'ab', b'', []]"
    client.send(b"HEAD / HTTP/1.0\r\n\r\n")
    assert client.answer(head_only=True).status == 200
    assert running.log.getvalue() == ""


def test_flask(serve: Any, tmp_path: Path) -> None:
    flask = pytest.importorskip("flask")
    app = flask.Flask("app")
    (tmp_path / "file").write_bytes(b"x" * 100000)

    @app.post("/form")
    def form() -> Any:
        return {"form": dict(flask.request.form), "files": {k: len(v.read()) for k, v in flask.request.files.items()}}

    @app.post("/raw")
    def raw() -> Any:
        return flask.request.get_data()

    @app.get("/file")
    def file() -> Any:
        return flask.send_file(tmp_path / "file")

    @app.get("/stream")
    def stream() -> Any:
        return flask.Response(str(number) for number in range(5))

    @app.get("/url/<path:name>")
    def url(name: str) -> Any:
        return f"{flask.request.url} {name}"

    client = serve(app).connect()
    form_data = b"a=1&b=%C3%A9"
    head = b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    assert client.ask(head + b"Content-Length: %d\r\n\r\n%b" % (len(form_data), form_data)).told["form"] == {
        "a": "1",
        "b": "é",
    }
    parts = b'--x\r\nContent-Disposition: form-data; name="f"; filename="g"\r\n\r\n' + b"y" * 70000 + b"\r\n--x--\r\n"
    head = b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    assert client.ask(head + b"Content-Length: %d\r\n\r\n%b" % (len(parts), parts)).told["files"] == {"f": 70000}
    head = b"POST /raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert client.ask(head).body == b"abc"
    assert client.get("/file").body == b"x" * 100000
    assert client.get("/stream").body == b"01234"
    assert client.get("/url/%C3%A9/x?y").body.decode() == "http://a/url/é/x?y é/x"
    assert client.get("/nothing").status == 404
    bad = serve(app).connect()
    assert bad.ask(head.replace(b"3\r\n", b"x\r\n")).status == 400
    assert bad.is_closed


def test_django(run_program: Any) -> None:
    run_program("wsgi_django.py")


def test_clients(run_program: Any) -> None:
    """http.client, urllib and requests in a patched process, against a server in the same one."""
    run_program("wsgi_clients.py")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(run_program: Any) -> None:
    run_program("wsgi_curl.py")
