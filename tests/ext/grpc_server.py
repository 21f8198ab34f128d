"""A gRPC server as a program: `grpc_server.py WORKERS [PORT]`, patched where it is run by `python -m greening`.

It prints its port. It has no .proto file: the bytes of messages are the messages.
"""

import sys
import time
from concurrent import futures
from typing import Any

import grpc


def slow(request: bytes, context: Any) -> bytes:
    time.sleep(0.3)
    return request


def count(request: bytes, context: Any) -> Any:
    for number in range(3):
        time.sleep(0.1)
        yield b"%d" % number


def join(requests: Any, context: Any) -> bytes:
    return b"|".join(requests)


def echo_each(requests: Any, context: Any) -> Any:
    yield from requests


def refuse(request: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing here")


METHODS = {
    "/t.T/Echo": grpc.unary_unary_rpc_method_handler(lambda request, context: request),
    "/t.T/Slow": grpc.unary_unary_rpc_method_handler(slow),
    "/t.T/Count": grpc.unary_stream_rpc_method_handler(count),
    "/t.T/Join": grpc.stream_unary_rpc_method_handler(join),
    "/t.T/Each": grpc.stream_stream_rpc_method_handler(echo_each),
    "/t.T/Refuse": grpc.unary_unary_rpc_method_handler(refuse),
}


class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc is untyped
    def service(self, details: Any) -> Any:
        return METHODS.get(details.method)


def serve(workers: int, port: int = 0) -> tuple[Any, int]:
    server = grpc.server(futures.ThreadPoolExecutor(workers))
    server.add_generic_rpc_handlers((Handler(),))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port


if __name__ == "__main__":
    server, port = serve(*map(int, sys.argv[1:]))
    print(port, flush=True)
    server.wait_for_termination()
