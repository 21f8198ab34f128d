"""Static files: what is in the folder and nothing else, whole or in part, and not again if the client has it."""

import os
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from greening.wsgi.static import StaticFiles, parse_static
from tests.wsgi.conftest import Answer, Client, Serve

TEXT = b"0123456789" * 1000
WHEN = 1_700_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "static"
    (inside / "css").mkdir(parents=True)
    (inside / "a.txt").write_bytes(TEXT)
    (inside / "css" / "x.css").write_text("b {}")
    (inside / "\u00e4 b.html").write_text("<p>")
    (inside / "x.tar.gz").write_text("z")
    (inside / "unknown").write_text("?")
    (inside / "empty.js").touch()
    (inside / ".secret").write_text("s")
    os.mkfifo(inside / "fifo")
    (tmp_path / "outside.txt").write_text("outside")
    (tmp_path / "static-too").mkdir()
    (tmp_path / "static-too" / "x").write_text("outside")
    (inside / "out").symlink_to(tmp_path / "outside.txt")
    (inside / "up").symlink_to("..")
    (inside / "in").symlink_to("a.txt")
    os.utime(inside / "a.txt", (WHEN, WHEN))
    return inside


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"the application"]


@pytest.fixture
def client(serve: Serve, folder: Path) -> Client:
    return serve(StaticFiles(app, {"/static": folder})).connect()


def get(client: Client, path: str = "/static/a.txt", **fields: str) -> Answer:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return client.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())


@pytest.mark.parametrize(
    ("name", "kind", "body"),
    [
        ("a.txt", "text/plain", TEXT),
        ("css/x.css", "text/css", b"b {}"),
        ("%C3%A4%20b.html", "text/html", b"<p>"),
        ("x.tar.gz", "application/octet-stream", b"z"),
        ("unknown", "application/octet-stream", b"?"),
        ("empty.js", "text/javascript", b""),
        ("in", "application/octet-stream", TEXT),
        ("up/static/a.txt", "text/plain", TEXT),
    ],
)
def test_files(client: Client, name: str, kind: str, body: bytes) -> None:
    for _ in range(2):
        answer = get(client, f"/static/{name}?v=1")
        assert (answer.status, answer.body) == (200, body)
        assert answer.fields["content-type"].replace("application/javascript", "text/javascript") == kind
        assert answer.fields["x-content-type-options"] == "nosniff"
    client.send(f"HEAD /static/{name} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    answer = client.answer(head_only=True)
    assert (answer.status, answer.fields["content-length"]) == (200, str(len(body)))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "none",
        "css",
        "css/",
        "a.txt/",
        "a.txt/x",
        ".secret",
        "fifo",
        "out",
        "up/outside.txt",
        "../outside.txt",
        "..%2Foutside.txt",
        "css/../../outside.txt",
        "css/../a.txt",
        "%2e%2e/outside.txt",
        "/etc/passwd",
        "%2Fetc/passwd",
        "./a.txt",
        "css//x.css",
        "%FF",
        "x" * 300,
    ],
)
def test_what_is_not_served(client: Client, name: str) -> None:
    assert get(client, f"/static/{name}").status == 404
    assert get(client).status == 200


def test_no_nul_gets_through(folder: Path) -> None:
    """The server refuses %00 before that; other servers may not."""
    said = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/static/a.txt\0"}
    StaticFiles(app, {"/static": folder})(environ, lambda status, fields: said.append(status))
    assert said == ["404 Not Found"]


@pytest.mark.parametrize("path", ["/", "/static", "/staticx/a.txt", "/other/static/a.txt"])
def test_all_other_paths_are_the_applications(client: Client, path: str) -> None:
    assert get(client, path).body == b"the application"


def test_the_longest_prefix_counts(serve: Serve, folder: Path) -> None:
    client = serve(StaticFiles(app, {"/": folder / "css", "/s/": folder, "/s/c": folder / "css"})).connect()
    assert get(client, "/x.css").status == 200
    assert get(client, "/s/a.txt").status == 200
    assert get(client, "/s/c/x.css").status == 200


def test_other_methods(client: Client) -> None:
    answer = client.ask(b"POST /static/a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.fields["allow"]) == (405, "GET, HEAD")


def test_what_the_client_has_is_not_sent_again(client: Client) -> None:
    first = get(client)
    tag, when = first.fields["etag"], first.fields["last-modified"]
    assert when == formatdate(WHEN, usegmt=True)
    for fields in (
        {"If_None_Match": tag},
        {"If_None_Match": f'"x", W/{tag}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": when},
        {"If_Modified_Since": formatdate(WHEN + 1, usegmt=True)},
        {"If_None_Match": tag, "If_Modified_Since": formatdate(0, usegmt=True)},
    ):
        answer = get(client, **fields)
        assert (answer.status, answer.fields["etag"]) == (304, tag)
    for fields in (
        {"If_None_Match": '"x"'},
        {"If_None_Match": '"x"', "If_Modified_Since": when},
        {"If_Modified_Since": formatdate(WHEN - 1, usegmt=True)},
        {"If_Modified_Since": "nonsense"},
        {"If_Modified_Since": "Mon, 01 Jan 99999 00:00:00 GMT"},
    ):
        assert get(client, **fields).body == TEXT


def test_a_file_that_has_changed_has_another_tag(client: Client, folder: Path) -> None:
    before = get(client).fields["etag"]
    (folder / "a.txt").write_bytes(TEXT[::-1])
    os.utime(folder / "a.txt", (WHEN, WHEN + 1e-3))
    assert get(client, If_None_Match=before).body == TEXT[::-1]


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-99", 5, 100),
        ("bytes=9990-", 9990, 10000),
        ("bytes=9990-99999999", 9990, 10000),
        ("bytes=-7", 9993, 10000),
        ("bytes=-99999", 0, 10000),
    ],
)
def test_a_range(client: Client, wanted: str, start: int, end: int) -> None:
    for _ in range(2):
        answer = get(client, Range=wanted)
        assert (answer.status, answer.body) == (206, TEXT[start:end])
        assert answer.fields["content-range"] == f"bytes {start}-{end - 1}/10000"


@pytest.mark.parametrize("wanted", ["bytes=10000-", "bytes=10000-10001", "bytes=-0"])
def test_a_range_outside_of_the_file(client: Client, wanted: str) -> None:
    answer = get(client, Range=wanted)
    assert (answer.status, answer.fields["content-range"]) == (416, "bytes */10000")


@pytest.mark.parametrize(
    "wanted", ["bytes=0-1,3-4", "bytes=5-4", "bytes=x", "lines=1-2", "bytes=-", "bytes=" + "9" * 19]
)
def test_what_is_no_single_range_gets_everything(client: Client, wanted: str) -> None:
    answer = get(client, Range=wanted)
    assert (answer.status, answer.body) == (200, TEXT)


def test_a_range_of_another_version_gets_everything(client: Client) -> None:
    fields = get(client).fields
    for same in (fields["etag"], fields["last-modified"]):
        assert get(client, Range="bytes=0-1", If_Range=same).status == 206
    for other in ('"x"', "W/" + fields["etag"], formatdate(0, usegmt=True), "nonsense"):
        assert get(client, Range="bytes=0-1", If_Range=other).body == TEXT


def test_files_are_closed(client: Client) -> None:
    get(client)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        get(client)
        get(client, "/static/out")
        get(client, If_None_Match="*")
        get(client, Range="bytes=1-2")
        get(client, Range="bytes=99999-")
    assert len(os.listdir("/proc/self/fd")) == before


def test_folders_that_make_no_sense() -> None:
    with pytest.raises(ValueError, match="begins with a slash"):
        StaticFiles(app, {"static": "."})
    with pytest.raises(NotADirectoryError, match="no-such-folder"):
        StaticFiles(app, {"/static": "no-such-folder"})
    for text in ("", "/static", "static=x", "/static="):
        with pytest.raises(ValueError, match="/URL=FOLDER"):
            parse_static(text)
    assert parse_static("/a=b=c") == ("/a", "b=c")
