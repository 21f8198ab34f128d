"""python-oracledb in its thin mode, the default: it waits in sockets.

There is no server to be had: it waits for one that says nothing.
"""

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("oracledb")


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "import oracledb"], ids=["after the patch", "before the patch"])
def test_a_connection_that_waits_lets_others_run_and_can_be_interrupted(
    run_green: Callable[..., Any], before: str
) -> None:
    run_green(
        """
import socket, oracledb
deaf = socket.create_server(("127.0.0.1", 0))
how = {"user": "scott", "password": "tiger", "dsn": f"127.0.0.1:{deaf.getsockname()[1]}/service"}
beat()
connecting = [greening.spawn(oracledb.connect, **how) for _ in range(10)]
for thread in connecting:
    thread.quiet = True
try:
    with greening.Timeout(0.3):
        oracledb.connect(**how)
    raise SystemExit("no Timeout")
except greening.Timeout:
    pass
for thread in connecting:
    assert not thread.dead
    thread.kill()
    greening.sleep(0)
assert all(thread.dead for thread in connecting)
""",
        before=before,
    )
