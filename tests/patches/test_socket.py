"""socket, patched in place: identities, what is older than the patch, signals, fork, and what is never closed."""

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "program",
    [
        "socket_identity.py",
        "socket_late.py",
        "socket_helpers.py",
        "socket_files.py",
        "socket_signals.py",
        "socket_fork.py",
        "socket_unclosed.py",
    ],
)
def test_program(program: str, run_program) -> None:
    done = run_program(program, python_args=("-W", "default"))
    assert "ResourceWarning" not in done.stderr or program in ("socket_late.py", "socket_helpers.py"), done.stderr
