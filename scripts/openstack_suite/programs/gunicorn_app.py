"""gunicorn with `-k eventlet`: many slow requests at a time, a streamed body, and a clean end at SIGTERM."""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

from checks import check, expected_engines, free_port, run, running, wait_for_port

HERE = os.path.dirname(os.path.abspath(__file__))
APPLICATION = """
import time
import checks

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/engines":
        return [" ".join(checks.engines()).encode()]
    time.sleep(0.3)
    return (b"%d\\n" % number for number in range(3))
"""


def fetch(url: str) -> bytes:
    """The body."""
    with urlopen(url, timeout=20) as response:
        return bytes(response.read())


@check
def thirty_slow_requests_at_a_time() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "slow.py").write_text(APPLICATION)
        arguments = [
            "-m",
            "gunicorn",
            "-k",
            "eventlet",
            "-b",
            f"127.0.0.1:{port}",
            "--chdir",
            folder,
            "slow:application",
        ]
        with running(*arguments, PYTHONPATH=os.pathsep.join((HERE, os.environ.get("PYTHONPATH", "")))) as server:
            wait_for_port(port, server)
            assert fetch(f"http://127.0.0.1:{port}/engines").decode().split() == expected_engines()
            begun = time.monotonic()
            with ThreadPoolExecutor(30) as pool:
                bodies = list(pool.map(fetch, [f"http://127.0.0.1:{port}/"] * 30))
            took = time.monotonic() - begun
        assert set(bodies) == {b"0\n1\n2\n"}
        assert took < 5, f"they ran one after another: {took:.1f} s"
        assert server.returncode == 0, f"exit status {server.returncode}"


if __name__ == "__main__":
    run()
