"""The audit as a report, and as an exit status."""

import json
from pathlib import Path
from typing import Any

from greening.debug.auditing import as_json, as_text, audit
from greening.debug.findings import LOOKED_FOR, NOT_SEEN, Finding

FINDING = Finding("name", "a.b", "the unpatched time.sleep", "look time.sleep up when it is called")


def test_nothing_is_found_where_nothing_is_patched() -> None:
    assert audit() == []


def test_the_report_never_says_that_everything_is_green() -> None:
    text = as_text([])
    assert text.startswith("greening: audit: nothing was found of what it looks for\n")
    assert all(f"    - {line}\n" in text for line in (*LOOKED_FOR, *NOT_SEEN))
    assert "everything" not in text.splitlines()[0]


def test_findings_come_first() -> None:
    assert as_text([FINDING]).startswith(f"greening: audit: 1 left unpatched\n  {FINDING}\n  looked for:\n")


def test_programs_read_the_same_as_json() -> None:
    read = json.loads(as_json([FINDING]))
    assert read["findings"] == [
        {"kind": "name", "where": "a.b", "what": FINDING.what, "remedy": "look time.sleep up when it is called"}
    ]
    assert read["looked_for"] == list(LOOKED_FOR) and read["cannot_see"] == list(NOT_SEEN)


LATE = "import time\ntable = {'nap': time.sleep}\nimport greening\ngreening.monkey_patch(time=True)\n"


def test_the_exit_status_tells_whether_something_was_found(run_program: Any) -> None:
    """The program's own comes first."""
    for end, status in (("", 3), ("raise SystemExit(0)\n", 3), ("raise SystemExit(7)\n", 7), ("1 / 0\n", 1)):
        done = run_program(LATE + end, python_args=("-m", "greening", "--no-patch", "--audit"), check=False)
        assert done.returncode == status, (end, done.stderr)
        assert "1 left unpatched" in done.stderr


def test_a_program_that_has_closed_standard_error_gets_no_report_on_standard_output(run_program: Any) -> None:
    for option in ("--audit", "--info"):
        program = "import sys\nsys.stderr = None\n"
        assert run_program(program, python_args=("-m", "greening", option)).stdout == ""


def test_instruments_that_run_are_no_finding(run_program: Any, tmp_path: Path) -> None:
    options = ("--inspect", "--watch", "0.01", "--profile", str(tmp_path / "profile.txt"))
    program = "import multiprocessing, subprocess, threading\n"
    environment = {"XDG_RUNTIME_DIR": str(tmp_path)}
    done = run_program(program, python_args=("-m", "greening", *options, "--audit"), env=environment)
    assert "nothing was found" in done.stderr
    assert "OS threads of C libraries" not in done.stderr


def test_the_child_of_a_fork_tells_nothing_and_ends_as_it_would(run_program: Any) -> None:
    program = LATE + "import os\npid = os.fork()\nif pid: print(os.waitpid(pid, 0)[1])\n"
    done = run_program(program, python_args=("-m", "greening", "--no-patch", "--audit"), check=False)
    assert (done.stdout, done.stderr.count("1 left unpatched")) == ("0\n", 1)


def test_json_on_the_command_line_is_the_last_line(run_program: Any) -> None:
    options = ("-m", "greening", "--no-patch", "--audit", "--json")
    done = run_program(LATE, python_args=options, check=False)
    assert [found["kind"] for found in json.loads(done.stderr.splitlines()[-1])["findings"]] == ["name"]
    refused = run_program(LATE, python_args=("-m", "greening", "--json"), check=False)
    assert (refused.returncode, "--json belongs to --audit" in refused.stderr) == (2, True)
