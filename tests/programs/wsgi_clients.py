"""http.client, urllib and requests in a patched process, against a server in the same process."""

import greening

greening.monkey_patch()

import http.client
import json
import urllib.request

import requests

import greening.wsgi


def app(environ, start_response):
    body = environ["wsgi.input"].read()
    if environ["PATH_INFO"] == "/stream":
        start_response("200 OK", [])
        return (b"x" * 1000 for _ in range(100))
    told = {key: value for key, value in environ.items() if isinstance(value, str)}
    told["length"] = len(body)
    start_response("200 OK", [("Content-Type", "application/json"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")])
    return [json.dumps(told).encode()]


server = greening.wsgi.Server(greening.listen(("127.0.0.1", 0)), app, log_output=False)
server.start()
base = "http://{}:{}".format(*server.address)

connection = http.client.HTTPConnection(*server.address, timeout=20)
for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"):
    connection.request(method, "/a%20b?c", b"x" * 10 if method in ("POST", "PUT", "PATCH") else None)
    response = connection.getresponse()
    content = response.read()
    assert response.status == 200
    if method != "HEAD":
        told = json.loads(content)
        assert (told["REQUEST_METHOD"], told["PATH_INFO"], told["QUERY_STRING"]) == (method, "/a b", "c")
connection.request("POST", "/", iter([b"ab", b"cd"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
assert json.loads(connection.getresponse().read())["length"] == 4
connection.close()

with urllib.request.urlopen(base + "/stream", timeout=20) as response:
    assert response.read() == b"x" * 100000

with requests.Session() as session:
    for _ in range(3):
        response = session.post(base + "/", data={"a": "é"}, files={"f": b"x" * 100000}, timeout=20)
        assert response.json()["length"] > 100000
    assert dict(session.cookies) == {"a": "b", "c": "d"}
    assert session.get(base + "/", timeout=20).json()["HTTP_COOKIE"] in ("a=b; c=d", "c=d; a=b")
    assert session.get(base + "/stream", timeout=20).content == b"x" * 100000
    assert session.post(base + "/", data=iter([b"a", b"b"]), timeout=20).json()["length"] == 2


def load(number):
    return requests.get(f"{base}/{number}", timeout=20).json()["PATH_INFO"]


assert list(greening.GreenPool(50).imap(load, range(100))) == [f"/{number}" for number in range(100)]
server.stop(5)
