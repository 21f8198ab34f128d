"""curl as a client: uploads with and without 100 Continue, chunks, keep-alive, ranges of what it can say."""

import greening

greening.monkey_patch()

import json
import subprocess

import greening.wsgi


def app(environ, start_response):
    if environ["PATH_INFO"] == "/refuse":
        start_response("403 Forbidden", [])
        return [b"no"]
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"length": len(body), "expect": environ.get("HTTP_EXPECT")}).encode()]


server = greening.wsgi.Server(greening.listen(("127.0.0.1", 0)), app, log_output=False)
server.start()
base = "http://{}:{}".format(*server.address)


def curl(*args, data=b""):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", *args], input=data, capture_output=True, check=True)
    return done.stdout


big = b"x" * 3_000_000
assert json.loads(curl(base)) == {"length": 0, "expect": None}
assert json.loads(curl("-H", "Expect: 100-continue", "--data-binary", "@-", base, data=big)) == {
    "length": len(big),
    "expect": "100-continue",
}
assert json.loads(curl("-T", "-", base, data=big))["length"] == len(big)
assert curl("-H", "Expect: 100-continue", "--data-binary", "@-", base + "/refuse", data=big) == b"no"
assert curl("--data-binary", "@-", "-H", "Expect:", base + "/refuse", data=big) == b"no"
assert curl("-0", "-d", "abc", base).startswith(b'{"length": 3')
assert curl("-I", base).startswith(b"HTTP/1.1 200 OK\r\n")
assert curl("--http2", base).startswith(b'{"length": 0')
assert curl("-w", "%{num_connects} ", "-o", "/dev/null", base, "-o", "/dev/null", base).split() == [b"1", b"0"]
server.stop(5)
