"""What the tests of the integrations share: servers, a heartbeat, and the law that nothing may be missing in CI.

Under GREENING_EXT_REQUIRED=1 a test that is skipped has failed: .ci/run installs everything.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.ext import servers
from tests.ext.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
REQUIRED = os.environ.get("GREENING_EXT_REQUIRED") == "1"


def _demand(report: Any, required: bool = REQUIRED) -> Any:
    if required and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, under GREENING_EXT_REQUIRED=1: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    # A mark's condition is about the interpreter; fixtures and importorskip find what is missing.
    return _demand((yield), REQUIRED and item.get_closest_marker("skipif") is None)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    return _demand((yield))


@pytest.fixture
def heartbeat() -> Iterator[Any]:
    """Ticks every 10 ms in this process; the test fails if the hub was held up for longer than 0.2 s.

    `heartbeat.tolerance = 0.5` allows more, for a reason that the test names. Programs that a test runs use
    `tests.ext.heartbeat.Heartbeat` itself.
    """
    from tests.ext.heartbeat import Heartbeat

    with Heartbeat() as heartbeat:
        yield heartbeat


@pytest.fixture
def run_green(run_program: Callable[..., Any]) -> Callable[..., Any]:
    """`run_program` for source code that runs patched, and beside a heartbeat that ends it with an error.

    `before` is source code that comes before `monkey_patch()`. `tolerance` is in seconds. The heart begins to beat
    where the source calls `beat()`, which is after its imports as a rule; it does so at its begin if it never does.
    """

    def run(source: str, *args: str, before: str = "", tolerance: float = 0.2, **options: Any) -> Any:
        whole = (
            f"{before}\nimport greening\ngreening.monkey_patch()\n"
            f"from tests.ext.heartbeat import Heartbeat\n"
            f"heartbeat = Heartbeat({tolerance})\nbeat = heartbeat.reset\n"
            f"code = compile({source!r}, __file__, 'exec')\nwith heartbeat:\n    exec(code)\n"
        )
        return run_program(whole, *args, **{"timeout": 90, **options})

    return run


@pytest.fixture
def run_page(run_program: Callable[..., Any]) -> Callable[..., Any]:
    """Run the first Python example of a page of docs/integrations. `before` is source code that stands before it."""

    def run(name: str, before: str = "", **options: Any) -> Any:
        page = (ROOT / "docs" / "integrations" / f"{name}.md").read_text(encoding="utf-8")
        example = page.partition("```python\n")[2].partition("```")[0]
        return run_program(f"{before}\n{example}", **options)

    return run


@pytest.fixture
def restart_of(tmp_path: Path) -> Iterator[Callable[[Server], str]]:
    """Call it with a server for source code that defines `restart()`, which a program may call once.

    It returns when the server is there again, on the same port and with the same data.
    """
    threads: list[Thread] = []

    def source(server: Server) -> str:
        wish, done = tmp_path / "wish", tmp_path / "done"
        os.mkfifo(wish)
        os.mkfifo(done)

        def obey() -> None:
            wish.read_bytes()
            if server.process is not None:
                server.restart()
                done.write_bytes(b"done")

        threads.append(Thread(target=obey, name=str(wish)))
        threads[-1].start()
        return f"def restart():\n    open({str(wish)!r}, 'w').close()\n    open({str(done)!r}).read()\n"

    yield source
    for thread in threads:
        with suppress(OSError):  # nobody reads it any more
            os.close(os.open(thread.name, os.O_WRONLY | os.O_NONBLOCK))
        thread.join()


def _for_session(make: Callable[[Path], Any]) -> Any:
    def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
        with make(tmp_path_factory.mktemp(make.__name__)) as server:
            yield server

    return pytest.fixture(scope="session", name=make.__name__)(fixture)


# One for all tests of a run. A test that has to do without one does it `with server.stopped():`.
_postgres = _for_session(servers.postgres)
_mariadb = _for_session(servers.mariadb)
_mariadb_tls = _for_session(servers.mariadb_tls)
_valkey = _for_session(servers.valkey)
_redis = _for_session(servers.redis)
_memcached = _for_session(servers.memcached)
_rabbitmq = _for_session(servers.rabbitmq)
