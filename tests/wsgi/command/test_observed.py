"""What the supervisor opens so that its server can be observed."""

import argparse
import os
import socket
import sys
from pathlib import Path

import pytest

from greening.wsgi.command.binds import CannotListen
from greening.wsgi.command.config import Settings, read
from greening.wsgi.command.observed import LogFiles, access_file, observe
from greening.wsgi.command.privileges import Identity


def settings(folder: Path, **environ: str) -> Settings:
    given = {f"GREENING_WSGI_{name}": value for name, value in environ.items()}
    return read(argparse.Namespace(app="a"), given, str(folder)).settings()


def test_without_metrics_nothing_is_opened(tmp_path: Path) -> None:
    observed = observe(settings(tmp_path))
    assert (observed.metrics, observed.bounds) == (None, [])


def test_workers_that_send_to_a_statsd_count_together(tmp_path: Path) -> None:
    observed = observe(settings(tmp_path, STATSD="127.0.0.1:9"))
    assert observed.metrics is not None and observed.bounds == []


def test_metrics_have_an_address_of_their_own(tmp_path: Path) -> None:
    observed = observe(settings(tmp_path, METRICS=f"unix:{tmp_path}/m"))
    (bound,) = observed.bounds
    assert observed.metrics is not None
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"{tmp_path}/m")
    bound.sock.close()
    bound.remove()
    with pytest.raises(CannotListen):
        observe(settings(tmp_path, METRICS="nonsense"))


@pytest.mark.parametrize(("said", "file"), [("-", None), ("off", None), ("a.log", "a.log")])
def test_the_file_of_the_access_log(tmp_path: Path, said: str, file: str | None) -> None:
    assert access_file(settings(tmp_path, ACCESS_LOG=said)) == file


def test_files_are_made_at_the_start_and_made_again_after_they_were_renamed(tmp_path: Path) -> None:
    access, errors = tmp_path / "a.log", tmp_path / "e.log"
    before = os.dup(2)
    try:
        files = LogFiles(settings(tmp_path, ACCESS_LOG=str(access), ERROR_LOG=str(errors)), None)
        files.open()
        os.write(2, b"one\n")
        for file in (access, errors):
            file.rename(f"{file}.1")
        files.reopen()
        os.write(2, b"two\n")
    finally:
        os.dup2(before, 2)
        os.close(before)
    assert (access.read_text(), errors.read_text()) == ("", "two\n")
    assert Path(f"{errors}.1").read_text() == "one\n"


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = LogFiles(settings(tmp_path, ACCESS_LOG=str(tmp_path / "no" / "a.log")), None)
    with pytest.raises(FileNotFoundError) as found:
        files.open()
    assert found.value.filename == str(tmp_path / "no" / "a.log")
    said: list[str] = []
    monkeypatch.setattr(sys.modules["greening.wsgi.command.observed"], "say", said.append)
    files.reopen()
    assert said == [f"cannot reopen the log {tmp_path}/no/a.log: No such file or directory"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_files_belong_to_the_user_of_the_workers(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    LogFiles(settings(tmp_path, ACCESS_LOG=str(path)), Identity(65534, 65534, "", "")).open()
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
