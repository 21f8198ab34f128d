"""`python -m greening.compat.check`."""

import json
from pathlib import Path

import pytest

from greening.compat.check import check, files_of, main

SAME = "import eventlet\neventlet.spawn(print)\n"
MISSING = "from eventlet.hubs import pyevent\n"


def test_files_of_a_folder_in_order_without_hidden_folders(tmp_path: Path) -> None:
    for name in ("b.py", "a/c.py", ".git/d.py", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert list(files_of([str(tmp_path), "x"])) == [tmp_path / "a/c.py", tmp_path / "b.py", Path("x")]


def test_lines_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.py"
    file.write_text(SAME)
    assert main([str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{file}:1: eventlet (import): same",
        f"{file}:2: eventlet.spawn (call): same",
        "2 uses of 2 names: 2 same, 0 same, but ..., 0 missing",
    ]


def test_something_missing_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.py"
    file.write_text(MISSING)
    assert main([str(file)]) == 1
    said = capsys.readouterr().out
    assert f"{file}:1: eventlet.hubs.pyevent (import): missing: greening has a hub of its own" in said


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.py"
    file.write_text(MISSING)
    assert main(["--json", str(file)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["uses"] == [
        {
            "path": str(file),
            "line": 1,
            "name": "eventlet.hubs.pyevent",
            "kind": "import",
            "verdict": "missing",
            "note": "greening has a hub of its own, on epoll",
        }
    ]
    assert report["unread"] == []
    assert report["summary"].startswith("1 uses of 1 names")


@pytest.mark.parametrize("source", ["print 'eventlet'", "eventlet = '\0'"])
def test_what_cannot_be_read_is_status_2_and_the_rest_is_read(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text(source)
    (tmp_path / "b.py").write_text(SAME)
    assert main([str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert f"not read: {tmp_path / 'a.py'}: " in printed.err
    assert "eventlet.spawn (call): same" in printed.out


def test_an_empty_folder_is_status_2(tmp_path: Path) -> None:
    assert check([str(tmp_path)]).unread == ["there is no Python file here"]


def test_a_file_in_another_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"# coding: latin-1\nimport eventlet  # \xe9\n")
    assert [line.use.name for line in check([str(tmp_path)]).lines] == ["eventlet"]


def test_nothing_is_called_eventlet_afterwards(run_program, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SAME + MISSING)
    program = "import sys\nfrom greening.compat.check import main\nassert main(sys.argv[1:]) == 1\n"
    run_program(program + "assert 'eventlet' not in sys.modules\n", str(tmp_path))
