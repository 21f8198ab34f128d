"""Which changes of files count."""

import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from greening.wsgi.command.reload import Watch


@pytest.fixture(autouse=True)
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """What is loaded, as far as a watch can see: nothing."""
    loaded: dict[str, ModuleType] = {}
    monkeypatch.setattr("greening.wsgi.command.reload.sys", SimpleNamespace(modules=loaded))
    return loaded


def write(path: Path, text: str, mtime: float) -> str:
    path.write_text(text)
    os.utime(path, (mtime, mtime))
    return str(path)


def test_a_file_that_is_written_again_has_changed_once(tmp_path: Path) -> None:
    file = write(tmp_path / "a.py", "1", 1000)
    watch = Watch(2000, [file])
    assert watch.changed() is None
    write(tmp_path / "a.py", "2", 1500)
    assert watch.changed() == file
    assert watch.changed() is None
    write(tmp_path / "a.py", "22", 1500)
    assert watch.changed() == file


def test_a_file_that_was_written_after_loading_began_has_changed(tmp_path: Path) -> None:
    file = write(tmp_path / "a.py", "1", 2001)
    assert Watch(2000, [file]).changed() == file


def test_a_file_from_the_future_does_not_look_new_for_ever(tmp_path: Path) -> None:
    watch = Watch(2000, [write(tmp_path / "a.py", "1", 1e11)])
    assert watch.changed() is None


def test_a_file_that_is_written_while_files_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path / "a.py", "1", 2001.5)

    class Clock:
        now = 2000

        def time(self) -> int:
            self.now += 1
            return self.now

    clock = Clock()
    watch = Watch(2000, [file])
    monkeypatch.setattr("greening.wsgi.command.reload.time", clock)
    real = os.stat

    def stat(path: str) -> os.stat_result:
        clock.now += 1
        return real(path)

    monkeypatch.setattr("greening.wsgi.command.reload.os", SimpleNamespace(stat=stat))
    assert watch.changed() == file


def test_a_file_that_is_away_for_a_moment(tmp_path: Path) -> None:
    file = write(tmp_path / "a.py", "1", 1000)
    watch = Watch(2000, [file])
    assert watch.changed() is None
    os.unlink(file)
    assert watch.changed() is None
    write(tmp_path / "a.py", "1", 1001)
    assert watch.changed() == file


def test_modules_are_watched_from_when_they_are_loaded(tmp_path: Path, modules: dict[str, ModuleType]) -> None:
    file = write(tmp_path / "late_module.py", "1", 1000)
    watch = Watch()
    assert watch.changed() is None
    module = ModuleType("late_module")
    module.__file__ = file
    modules["late_module"] = module
    assert watch.changed() is None
    write(tmp_path / "late_module.py", "2", 1001)
    assert watch.changed() == file


def test_a_module_that_imports_when_it_is_asked_is_not_asked(modules: dict[str, ModuleType]) -> None:
    class Lazy(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    modules["lazy_module"] = Lazy("lazy_module")
    assert Watch().changed() is None
