"""An HTTP server of greening, and kept-alive clients of the stdlib: bodies both ways, files, chunks."""

import greening

greening.monkey_patch()

import http.client
import io
import sys
import tempfile
import threading

from payload import message

from greening import wsgi

CLIENTS = 6
REQUESTS = 20

BODIES = [message() for _ in range(20)]


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/echo":
        body = environ["wsgi.input"].read()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]
    number = int(path.rpartition("/")[2])
    if path.startswith("/chunks"):
        start_response("200 OK", [])
        body = BODIES[number]
        return (body[start : start + 5000] for start in range(0, len(body), 5000))
    file = tempfile.TemporaryFile()  # noqa: SIM115  # the server closes it
    file.write(BODIES[number])
    file.seek(0)
    start_response("200 OK", [("Content-Length", str(len(BODIES[number])))])
    return environ["wsgi.file_wrapper"](file)


def talk(client):
    connection = http.client.HTTPConnection(*server.address[:2], timeout=50)
    for turn in range(REQUESTS):
        number = (client + turn) % len(BODIES)
        expected = BODIES[number]
        if turn % 3 == 0:
            connection.request("POST", "/echo", body=io.BytesIO(expected), headers={"Content-Length": len(expected)})
        else:
            connection.request("GET", f"/{'file' if turn % 3 == 1 else 'chunks'}/{number}")
        response = connection.getresponse()
        assert response.status == 200, response.status
        assert response.read() == expected
    connection.close()
    finished.append(client)


finished: list[int] = []
server = wsgi.Server(greening.listen(("127.0.0.1", 0)), application, log=None)
server.start()
threads = [threading.Thread(target=talk, args=(client,)) for client in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
server.stop()
sys.exit(sorted(finished) != list(range(CLIENTS)))
