"""A patched program resolves names with the stdlib's functions, in many green threads, before and after a fork."""

import greening

greening.monkey_patch()

import os
import socket
import threading
import time

server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
ticks = []


def tick() -> None:
    while not done:
        ticks.append(time.monotonic())
        time.sleep(0.001)


def resolve() -> None:
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    assert socket.gethostbyname_ex("localhost")[2] == ["127.0.0.1"]
    assert socket.gethostbyaddr("127.0.0.1")[2] == ["127.0.0.1"]
    assert socket.getnameinfo(("127.0.0.1", port), socket.NI_NUMERICSERV)[1] == str(port)
    assert socket.getfqdn("127.0.0.1")
    families = {entry[0] for entry in socket.getaddrinfo("localhost", port)}
    assert families <= {socket.AddressFamily.AF_INET, socket.AddressFamily.AF_INET6}
    socket.create_connection(("localhost", port), timeout=10).close()


def resolve_in_many_threads() -> None:
    threads = [threading.Thread(target=resolve) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


done: list[bool] = []
ticker = threading.Thread(target=tick)
ticker.start()
resolve_in_many_threads()
child = os.fork()
if child == 0:
    resolve_in_many_threads()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
resolve_in_many_threads()
done.append(True)
ticker.join()
assert len(ticks) > 3
