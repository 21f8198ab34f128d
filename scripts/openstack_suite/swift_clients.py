"""Clients of a Swift that ask for what users of objects ask for, and check what comes back."""

import hashlib
import http.client
import json
import random
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress

SECONDS = 120
LONGEST = 1 << 16  # bytes of an object


class Refused(Exception):
    """An answer is not what it should be."""


def login(port: int) -> tuple[str, str]:
    """The path of the account, and the token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request("GET", "/auth/v1.0", headers={"X-Auth-User": "test:tester", "X-Auth-Key": "testing"})
    response = connection.getresponse()
    response.read()
    connection.close()
    url, token = response.headers["X-Storage-Url"], response.headers["X-Auth-Token"]
    return "/" + url.split("/", 3)[3], token


def pieces(body: bytes) -> Iterator[bytes]:
    """A body in four pieces, or so."""
    step = max(len(body) // 4, 1)
    for start in range(0, len(body), step):
        yield body[start : start + step]


class Client:
    """One user, with a container of its own; each fourth has one of the coded policy.

    Args:
        port: of the proxy. number: its name, and the seed of what it does.
    Attributes:
        done: the requests, by their methods. errors: what went wrong. objects: what should be there.
    """

    def __init__(self, port: int, number: int) -> None:
        self.number = number
        self.random = random.Random(number)
        self.objects: dict[str, bytes] = {}
        self.done: Counter[str] = Counter()
        self.errors: list[str] = []
        self.account, self.token = login(port)
        self.container = f"c{number}"
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        policy = "coded" if number % 4 == 3 else "replicated"
        self.ask("PUT", "", b"", (201, 202), X_Storage_Policy=policy)
        self.connection.close()  # its turn may come late, and Swift ends idle connections

    def work(self, requests: int) -> None:
        """Make so many requests, by chance; then hang up."""
        steps: tuple[Callable[[], object], ...] = (
            *(self.put, self.put_in_chunks, self.put_with_leave, self.put_and_hang_up, self.copy, self.post),
            *(self.get, self.get, self.get, self.part, self.part, self.head, self.head, self.list, self.delete),
        )
        seldom: tuple[Callable[[], object], ...] = (self.large, self.delete_many)
        target = self.done.total() + requests
        while self.done.total() < target:
            step = self.random.choice(seldom if self.random.random() < 0.03 else steps)
            try:
                step()
            except (OSError, http.client.HTTPException, Refused) as error:
                self.done["failed"] += 1
                self.errors.append(f"client {self.number}, {step.__name__}: {error!r}")
                self.connection.close()
        self.connection.close()

    def path(self, name: str) -> str:
        """The path of an object; of the container."""
        return f"{self.account}/{self.container}" + (f"/{name}" if name else "")

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        return {"X-Auth-Token": self.token, **{key.replace("_", "-"): value for key, value in more.items()}}

    def ask(
        self, method: str, name: str, body: bytes | Iterator[bytes] | None, wanted: tuple[int, ...], **headers: str
    ) -> bytes:
        """One request. Returns the body. Raises: Refused: another status."""
        chunked = not isinstance(body, bytes | None)
        if chunked:
            headers["Transfer_Encoding"] = "chunked"
        self.connection.request(method, self.path(name), body, self._headers(headers), encode_chunked=chunked)
        return self._answer(method, name, wanted)

    def _answer(self, method: str, name: str, wanted: tuple[int, ...]) -> bytes:
        response = self.connection.getresponse()
        got = response.read()
        self.done[method] += 1
        if response.status not in wanted:
            raise Refused(f"{method} {name}: {response.status} {got[:200]!r}")
        self.answered = response.headers
        return got

    def _new(self) -> tuple[str, bytes]:
        return f"o{self.random.randrange(20)}", self.random.randbytes(self.random.randrange(1, LONGEST))

    def _some(self) -> str | None:
        return self.random.choice(list(self.objects)) if self.objects else None

    def same(self, name: str, body: bytes, got: bytes) -> None:
        """Raises: Refused: `got` is not `body`."""
        if got != body:
            raise Refused(f"{name} has changed: {len(got)} bytes, not {len(body)}")

    def put(self) -> None:
        """A new object, or a new body of an old one."""
        name, body = self._new()
        self.objects.pop(name, None)
        self.ask("PUT", name, body, (201,), ETag=hashlib.md5(body).hexdigest())
        self.objects[name] = body

    def put_in_chunks(self) -> None:
        """The same, with a body in chunks."""
        name, body = self._new()
        self.objects.pop(name, None)
        self.ask("PUT", name, pieces(body), (201,))
        self.objects[name] = body

    def put_with_leave(self) -> None:
        """The same; the body waits for `100 Continue`."""
        name, body = self._new()
        self.objects.pop(name, None)
        connection = self.connection
        connection.putrequest("PUT", self.path(name))
        for key, value in self._headers({"Content_Length": str(len(body)), "Expect": "100-continue"}).items():
            connection.putheader(key, value)
        connection.endheaders()
        interim = b""
        while not interim.endswith(b"\r\n\r\n"):
            byte = connection.sock.recv(1)  # no more than that: the rest is the answer's
            if not byte:
                raise Refused("the connection ended before 100 Continue")
            interim += byte
        if not interim.startswith(b"HTTP/1.1 100"):
            raise Refused(f"PUT {name}: {interim!r} in place of 100 Continue")
        connection.send(body)
        self._answer("PUT", name, (201,))
        self.objects[name] = body

    def put_and_hang_up(self) -> None:
        """Half a body, and no more. What was there is there."""
        name, body = self._new()
        with socket.create_connection((self.connection.host, self.connection.port), SECONDS) as client:
            lines = [f"PUT {self.path(name)} HTTP/1.1", "Host: a", f"Content-Length: {len(body) * 2}"]
            lines += [f"X-Auth-Token: {self.token}", "", ""]
            client.sendall("\r\n".join(lines).encode() + body)
        self.done["aborted PUT"] += 1
        self.get()

    def get(self) -> None:
        """An object, whole."""
        if name := self._some():
            self.same(name, self.objects[name], self.ask("GET", name, None, (200,)))

    def part(self) -> None:
        """A range of an object."""
        if (name := self._some()) and len(self.objects[name]) > 100:
            got = self.ask("GET", name, None, (206,), Range="bytes=10-99")
            self.same(name, self.objects[name][10:100], got)

    def head(self) -> None:
        """What is known of an object."""
        if name := self._some():
            self.ask("HEAD", name, None, (200,))
            if int(self.answered["Content-Length"]) != len(self.objects[name]):
                raise Refused(f"HEAD {name}: {self.answered['Content-Length']} bytes")

    def list(self) -> None:
        """The names in the container. They may come late: nothing is said about which."""
        json.loads(self.ask("GET", "?format=json", None, (200,)))

    def copy(self) -> None:
        """An object under another name."""
        if name := self._some():
            copy = f"o{self.random.randrange(20, 40)}"
            body = self.objects[name]
            self.objects.pop(copy, None)
            self.ask("COPY", name, None, (201,), Destination=f"{self.container}/{copy}")
            self.objects[copy] = self.objects[name] = body  # they may be the same

    def post(self) -> None:
        """A note to an object."""
        if name := self._some():
            value = str(self.random.random())
            self.ask("POST", name, b"", (202,), X_Object_Meta_Note=value)
            self.ask("HEAD", name, None, (200,))
            if self.answered["X-Object-Meta-Note"] != value:
                raise Refused(f"the note of {name} is lost")

    def delete(self) -> None:
        """An object goes."""
        if name := self._some():
            del self.objects[name]
            self.ask("DELETE", name, None, (204,))

    def large(self) -> None:
        """A large object of two segments; and it goes, with them."""
        bodies = [self.random.randbytes(self.random.randrange(1, LONGEST)) for _ in range(2)]
        manifest = []
        for number, body in enumerate(bodies):
            self.ask("PUT", f"segment{number}", body, (201,))
            etag = hashlib.md5(body).hexdigest()
            path = f"/{self.container}/segment{number}"
            manifest.append({"path": path, "etag": etag, "size_bytes": len(body)})
        self.ask("PUT", "large?multipart-manifest=put", json.dumps(manifest).encode(), (201,))
        self.same("large", b"".join(bodies), self.ask("GET", "large", None, (200,)))
        got = json.loads(self.ask("DELETE", "large?multipart-manifest=delete", None, (200,), Accept="application/json"))
        if got["Number Deleted"] != 3:
            raise Refused(f"the large object's end: {got}")

    def delete_many(self) -> None:
        """Up to five objects go at once."""
        names = self.random.sample(list(self.objects), min(len(self.objects), 5))
        for name in names:
            del self.objects[name]
        path, body = "?bulk-delete", "".join(f"{self.container}/{name}\n" for name in names).encode()
        headers = self._headers({"Accept": "application/json", "Content_Type": "text/plain"})
        self.connection.request("POST", f"{self.account}{path}", body, headers)
        got = json.loads(self._answer("POST", path, (200,)))
        if names and got["Number Deleted"] != len(names):
            raise Refused(f"bulk delete: {got}")


def together(clients: list[Client], requests: int) -> None:
    """Have them all at work, each with so many requests."""
    threads = [threading.Thread(target=client.work, args=(requests,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Stream:
    """One request after the other, each on a connection of its own, until it is told to stop.

    Attributes:
        done: how many. errors: what went wrong.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.done = 0
        self.errors: list[str] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        client = self.client
        while not self._stopped.is_set():
            try:
                name, body = "streamed", client.random.randbytes(2000)
                client.ask("PUT", name, body, (201,), Connection="close")
                if client.ask("GET", name, None, (200,), Connection="close") != body:
                    raise Refused("it has changed")
                self.done += 2
            except (OSError, http.client.HTTPException, Refused) as error:
                self.errors.append(repr(error))
            with suppress(OSError):
                client.connection.close()

    def stop(self) -> None:
        """No more requests; wait for the one under way."""
        self._stopped.set()
        self._thread.join()
