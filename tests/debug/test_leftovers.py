"""What the audit says about names. What it finds of them is tested in tests/patcher/test_audit.py."""

from typing import Any


def test_the_advice_names_the_innermost_module_of_a_place(run_program: Any) -> None:
    run_program(
        "import sys, types\n"
        "sys.modules['early'] = early = types.ModuleType('early')\n"
        "import time\n"
        "early.nap = time.sleep\n"
        "exec('def later(nap=nap): return nap', early.__dict__)\n"
        "import greening\n"
        "greening.monkey_patch(time=True)\n"
        "from greening.debug import audit\n"
        "for found in audit():\n"
        "    assert 'early' not in found.where or found.remedy.endswith('before early is imported'), found\n"
    )


def test_a_plug_in_keeps_the_original_that_it_has_replaced(run_program: Any) -> None:
    run_program(
        "import greening\n"
        "greening.monkey_patch()\n"
        "import sqlite3\n"
        "from greening.debug import audit\n"
        "assert sqlite3.connect.__wrapped__\n"
        "assert [found for found in audit() if 'sqlite3.connect' in found.what] == []\n"
    )
