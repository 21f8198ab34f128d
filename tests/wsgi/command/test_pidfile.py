"""The file with the supervisor's number."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from greening.wsgi.command import pidfile
from greening.wsgi.command.pidfile import PidFile, PidFileTaken


def dead() -> int:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid


def test_it_is_there_whole_and_readable_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    file = PidFile(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]
    file.remove()
    assert list(tmp_path.iterdir()) == []
    file.remove()


@pytest.mark.parametrize("content", ["", f"{dead()}\n", f"{os.getpid()}\n", "99999999999999999999\n"])
def test_what_no_other_process_owns_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "pid").write_text(content)
    PidFile(str(tmp_path / "pid"))
    assert (tmp_path / "pid").read_text() == f"{os.getpid()}\n"


def test_that_of_a_process_which_lives_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{os.getppid()}\n")
    with pytest.raises(PidFileTaken, match=f"process {os.getppid()} of .* lives"):
        PidFile(str(tmp_path / "pid"))
    assert (tmp_path / "pid").read_text() == f"{os.getppid()}\n"


def test_what_is_no_pid_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear all")
    with pytest.raises(PidFileTaken, match="it was not replaced"):
        PidFile(str(tmp_path / "letter"))
    assert (tmp_path / "letter").read_text() == "Dear all"


def test_that_of_a_successor_stays(tmp_path: Path) -> None:
    file = PidFile(str(tmp_path / "pid"))
    (tmp_path / "pid").write_text("1\n")
    file.remove()
    assert (tmp_path / "pid").read_text() == "1\n"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        PidFile(str(tmp_path / "no" / "pid"))


def test_a_folder_that_another_process_keeps_locked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pidfile, "_PAUSE", 0)
    lock = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PidFileTaken, match=r"keeps the folder .* locked"):
            PidFile(str(tmp_path / "pid"))
    finally:
        os.close(lock)
    PidFile(str(tmp_path / "pid"))
