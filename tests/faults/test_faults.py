"""Whole programs under a library that makes system calls fall short and fail (shim.c). None may hang or lose a byte."""

import errno
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

HERE = Path(__file__).resolve().parent

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the shim is written for Linux and its C library"),
]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = tmp_path_factory.mktemp("faults") / "shim.so"
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, HERE / "shim.c", "-ldl"], check=True)
    return library


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key, its certificate for `localhost`, and the authority that signed it, in one file."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    parts = [issued.private_key_pem, *issued.cert_chain_pems, authority.cert_pem]
    path = tmp_path_factory.mktemp("certificate") / "all.pem"
    path.write_bytes(b"".join(part.bytes() for part in parts))
    return path


@pytest.fixture
def run_with_faults(run_program: Callable[..., Any], shim: Path, tmp_path: Path) -> Callable[..., Counter[str]]:
    """`run(program, arguments, faults)` runs it, and returns how many faults of each kind there were."""

    def run(program: str, *args: str, errors: tuple[int, ...] = (), **faults: int) -> Counter[str]:
        log = tmp_path / "faults"
        env = {
            "LD_PRELOAD": ":".join(filter(None, [os.environ.get("LD_PRELOAD"), str(shim)])),
            "FAULTS": " ".join(f"{kind}={number}" for kind, number in faults.items()),
            "FAULTS_SEED": str(faults["seed"]),
            "FAULTS_ERRNOS": ",".join(map(str, errors)),
            "FAULTS_LOG": str(log),
        }
        run_program(HERE / program, *args, env=env, timeout=60)
        found: Counter[str] = Counter()
        for line in log.read_text().splitlines():
            kind, number = line.split()
            found[kind] += int(number)
        return found

    return run


def arguments(program: str, certificate: Path) -> tuple[str, ...]:
    return (str(certificate),) if program == "tls.py" else ()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("program", ["echo.py", "tls.py", "wsgi.py", "crawl.py", "pipelines.py"])
def test_short_counts_and_interruptions_stop_and_lose_nothing(
    run_with_faults: Callable[..., Counter[str]], certificate: Path, program: str, seed: int
) -> None:
    chances = {"short": 30, "eintr": 20, "connect": 50}
    found = run_with_faults(program, *arguments(program, certificate), seed=seed, **chances)
    assert found["short"] and found["eintr"]


@pytest.mark.parametrize("program", ["echo.py", "tls.py"])
def test_interruptions_alone_stop_nothing(
    run_with_faults: Callable[..., Counter[str]], certificate: Path, program: str
) -> None:
    assert run_with_faults(program, *arguments(program, certificate), seed=3, eintr=50)["eintr"]


@pytest.mark.parametrize("program", ["echo.py", "tls.py", "wsgi.py", "crawl.py", "pipelines.py"])
def test_a_wait_that_finds_no_room_in_epoll_waits_until_there_is(
    run_with_faults: Callable[..., Counter[str]], certificate: Path, program: str
) -> None:
    assert run_with_faults(program, *arguments(program, certificate), seed=4, epoll=30, short=10)["epoll"]


@pytest.mark.parametrize("program", ["wsgi.py", "crawl.py"])
def test_a_server_outlives_errors_of_accept(run_with_faults: Callable[..., Counter[str]], program: str) -> None:
    assert run_with_faults(program, seed=5, accept=50)["accept"]


def test_errors_of_accept_and_send_reach_their_caller_and_the_next_try_succeeds(
    run_with_faults: Callable[..., Counter[str]],
) -> None:
    errors = (errno.ENOBUFS, errno.ECONNABORTED, errno.EMFILE)
    found = run_with_faults("echo.py", errors=errors, seed=6, accept=30, nobufs=2, short=10)
    assert found["accept"] and found["nobufs"]
