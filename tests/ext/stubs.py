"""Servers for the tests of clients whose real servers are in no wheel and no package: just enough of each protocol.

Each is a function for `serve(listener, function)`; `start` listens and serves in a green thread of this process. Every
answer comes in two pieces, with a turn for the others in between, so that interruptions strike in the middle, too.
"""

import importlib
import json
import socket
import struct
from collections.abc import Callable
from typing import Any

import greening

Serve = Callable[[Any, Any], None]


def start(function: Serve) -> int:
    """Serve on a free port of 127.0.0.1, which is returned, for as long as the program lives."""
    listener = greening.listen(("127.0.0.1", 0))
    greening.spawn(greening.serve, listener, function, concurrency=1000)
    port: int = listener.getsockname()[1]
    return port


def _send(sock: Any, data: bytes) -> None:
    sock.sendall(data[: len(data) // 2])
    greening.sleep(0)
    sock.sendall(data[len(data) // 2 :])


def _exactly(file: Any, size: int) -> bytes:
    data: bytes = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _until_it_ends(answer: Callable[[Any, Any], None], sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock, sock.makefile("rb") as file:
        try:
            while True:
                answer(sock, file)
        except (EOFError, OSError):
            pass


def http(sock: Any, _: object) -> None:
    """HTTP/1.1 with connections that stay. The body repeats the last part of the path, as Elasticsearch would."""

    def answer(sock: Any, file: Any) -> None:
        line = file.readline()
        if not line:
            raise EOFError
        length = 0
        while (header := file.readline()) not in (b"\r\n", b""):
            if header.lower().startswith(b"content-length:"):
                length = int(header.split(b":")[1])
        _exactly(file, length)
        name = line.split()[1].decode().partition("?")[0].rpartition("/")[2]
        found = {"_index": "index", "_id": name, "found": True, "_source": {}}
        body = json.dumps(found | {"version": {"number": "9.0.0", "build_flavor": "default"}, "tagline": ""}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        _send(sock, f"{head}X-Elastic-Product: Elasticsearch\r\n\r\n".encode() + body)

    _until_it_ends(answer, sock)


def mongo(sock: Any, _: object) -> None:
    """MongoDB's OP_MSG, and OP_QUERY for the first greeting. A command `echo` is answered with its value."""
    bson: Any = importlib.import_module("bson")
    hello = {"ok": 1, "helloOk": True, "isWritablePrimary": True, "ismaster": True, "minWireVersion": 0}
    hello |= {"maxWireVersion": 25, "maxBsonObjectSize": 1 << 24, "maxMessageSizeBytes": 48_000_000}

    def answer(sock: Any, file: Any) -> None:
        size, number, _, code = struct.unpack("<iiii", _exactly(file, 16))
        body = _exactly(file, size - 16)
        begin = 5 if code == 2013 else body.index(b"\0", 4) + 9
        (length,) = struct.unpack_from("<i", body, begin)
        command = bson.decode(body[begin : begin + length])
        reply = bson.encode({"ok": 1, "echo": command["echo"]} if "echo" in command else hello)
        if code == 2013:
            head, reply_code = struct.pack("<i", 0) + b"\0", 2013
        else:
            head, reply_code = struct.pack("<iqii", 8, 0, 0, 1), 1
        _send(sock, struct.pack("<iiii", 16 + len(head) + len(reply), 0, number, reply_code) + head + reply)

    _until_it_ends(answer, sock)


def ldap(sock: Any, _: object) -> None:
    """LDAP: every bind succeeds, and a search finds one entry, with the name of its base."""

    def part(kind: int, *contents: bytes) -> bytes:
        content = b"".join(contents)
        return bytes([kind, len(content)]) + content

    def answer(sock: Any, file: Any) -> None:
        _, length = _exactly(file, 2)
        if length & 0x80:
            length = int.from_bytes(_exactly(file, length & 0x7F), "big")
        message = _exactly(file, length)
        number, rest = message[: 2 + message[1]], message[2 + message[1] :]
        kind = rest[0]
        body = rest[2 + (rest[1] & 0x7F if rest[1] & 0x80 else 0) :]
        done = (b"\x0a\x01\0", b"\x04\0", b"\x04\0")
        if kind == 0x60:
            _send(sock, part(0x30, number, part(0x61, *done)))
        elif kind == 0x63:
            entry = part(0x30, number, part(0x64, body[: 2 + body[1]], b"\x30\0"))
            _send(sock, entry + part(0x30, number, part(0x65, *done)))

    _until_it_ends(answer, sock)


def ssh() -> Serve:
    """SSH, by paramiko's own server: everybody is let in, and a command is answered with itself."""
    paramiko: Any = importlib.import_module("paramiko")
    key = paramiko.RSAKey.generate(2048)

    class Interface(paramiko.ServerInterface):  # type: ignore[misc]  # its class is not known to mypy
        def check_auth_password(self, username: str, password: str) -> Any:
            return paramiko.AUTH_SUCCESSFUL

        def check_channel_request(self, kind: str, chanid: int) -> Any:
            return paramiko.OPEN_SUCCEEDED

        def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
            greening.spawn(self._run, channel, command)
            return True

        def _run(self, channel: Any, command: bytes) -> None:
            try:
                channel.sendall(command)
                channel.send_exit_status(0)
                channel.close()
            except (OSError, EOFError, paramiko.SSHException):
                pass  # the client has gone

    def serve(sock: Any, _: object) -> None:
        transport = paramiko.Transport(sock)
        transport.add_server_key(key)
        transport.start_server(server=Interface())
        transport.join()

    return serve


def cql(sock: Any, _: object) -> None:
    """Cassandra's native protocol, version 4: a cluster of one. A query is answered with its last word, after 0.1 s
    if it begins with "slow".
    """

    def text(value: str) -> bytes:
        return struct.pack(">H", len(value)) + value.encode()

    def rows(table: str, columns: dict[str, tuple[int, bytes]], count: int) -> bytes:
        head = struct.pack(">iii", 2, 1, len(columns)) + text("system") + text(table)
        described = b"".join(text(name) + struct.pack(">H", kind) for name, (kind, _) in columns.items())
        values = b"".join(struct.pack(">i", len(value)) + value for _, value in columns.values())
        return head + described + struct.pack(">i", count) + values * count

    varchar, uuid, inet = 0x0D, 0x0C, 0x10
    names = {"key": "local", "cluster_name": "stub", "data_center": "dc", "rack": "r", "release_version": "4.0"}
    local = {name: (varchar, value.encode()) for name, value in names.items()}
    local |= {"partitioner": (varchar, b"Murmur3Partitioner"), "host_id": (uuid, b"h" * 16)}
    local |= {"schema_version": (uuid, b"s" * 16), "rpc_address": (inet, bytes([127, 0, 0, 1]))}
    local |= {"broadcast_address": (inet, bytes([127, 0, 0, 1]))}

    def result(query: str) -> bytes:
        if "system.local" in query:
            return rows("local", local, 1)
        if "system" in query:
            return rows("peers", local, 0)
        return rows("t", {"tag": (varchar, query.split()[-1].encode())}, 1)

    def reply(sock: Any, stream: int, code: int, body: bytes) -> None:
        sock.sendall(struct.pack(">BBhBi", 0x84, 0, stream, code, len(body)) + body)

    def answer(sock: Any, file: Any) -> None:
        _, _, stream, code, length = struct.unpack(">BBhBi", _exactly(file, 9))
        body = _exactly(file, length)
        if code == 0x05:  # OPTIONS
            versions = text("CQL_VERSION") + struct.pack(">H", 1) + text("3.4.5")
            compression = text("COMPRESSION") + struct.pack(">H", 0)
            reply(sock, stream, 0x06, struct.pack(">H", 2) + versions + compression)
        elif code in (0x01, 0x0B):  # STARTUP, REGISTER
            reply(sock, stream, 0x02, b"")
        else:
            (size,) = struct.unpack_from(">i", body)
            query = body[4 : 4 + size].decode()
            greening.spawn_after(0.1 if query.startswith("slow") else 0, reply, sock, stream, 0x08, result(query))

    _until_it_ends(answer, sock)


def lines(prefix: str) -> Serve:
    """Each line is answered with the prefix and its last word, and so is the beginning of the connection."""

    def serve(sock: Any, _: object) -> None:
        def answer(sock: Any, file: Any) -> None:
            line = file.readline()
            if not line:
                raise EOFError
            _send(sock, f"{prefix} {line.split()[-1].decode()}\r\n".encode())

        sock.sendall(f"{prefix} hello\r\n".encode())
        _until_it_ends(answer, sock)

    return serve


def imap(sock: Any, _: object) -> None:
    """IMAP in which every search finds what its last word says."""

    def answer(sock: Any, file: Any) -> None:
        line = file.readline().decode()
        if not line:
            raise EOFError
        tag, command, *rest = line.split()
        last = rest[-1] if rest else ""
        known = {"CAPABILITY": "CAPABILITY IMAP4REV1", "SELECT": "1 EXISTS", "SEARCH": f"SEARCH {last}"}
        data = known.get(command, "OK")
        _send(sock, f"* {data}\r\n{tag} OK done\r\n".encode())

    sock.sendall(b"* OK hello\r\n")
    _until_it_ends(answer, sock)
