"""The warning of a `monkey_patch()` that came too late to reach everything."""

from typing import Any

import pytest

WARNED = """
import warnings
import greening
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    greening.monkey_patch()
    greening.monkey_patch()
"""

LATE = """
import functools, os, socket, time
table = {"nap": time.sleep}
class Slotted:
    __slots__ = ("how",)
slotted = Slotted()
slotted.how = (os.read, time.sleep)
def make():
    nap = time.sleep
    return lambda: nap(1)
closure = make()
receive = functools.partial(socket.socketpair()[0].recv, 10)
nap = time.sleep  # is rebound
"""


def test_one_warning_counts_the_places_and_names_the_command_that_lists_them(run_program: Any) -> None:
    run_program(
        LATE
        + WARNED
        + """
(warning,) = told
assert warning.category is greening.PatchWarning and warning.filename == __file__
text = str(warning.message)
assert "5 places refer" in text, text
assert "(for example __main__." in text, text
assert "greening.debug.audit()" in text and "python -m greening --no-patch --audit" in text
places = [found for found in greening.debug.audit() if found.kind == "name"]
assert len(places) == 5, places
greening.unpatch()
"""
    )


def test_a_program_that_has_only_imported_the_standard_library_is_not_even_looked_at(run_program: Any) -> None:
    run_program(
        "import os, sys\nfrom time import sleep\nfrom threading import Thread, Lock\nanswer = 42\n"
        "import greening.patcher.unreached as unreached, greening.patcher.ledger as ledger\n"
        "assert not unreached.came_late(ledger.LEDGER)\n" + WARNED + "assert told == []\n"
        "def f(): pass\n"
        "assert unreached.came_late(ledger.LEDGER)\n"
    )


@pytest.mark.slow
def test_what_can_be_reached_is_not_warned_of(run_program: Any) -> None:
    """Applications and libraries as people have them, imported before the patch."""
    run_program(
        "import threading\n"
        "import flask, requests, django.db, hypothesis, pytest, unittest.mock, multiprocessing.pool, asyncio\n"
        + WARNED
        + "assert told == [], [str(each.message) for each in told]\n"
    )


def test_a_program_that_makes_an_error_of_it_is_patched_all_the_same(run_program: Any) -> None:
    run_program(
        "import time\n"
        "table = {'nap': time.sleep}\n"
        "import greening, warnings\n"
        "warnings.simplefilter('error', greening.PatchWarning)\n"
        "try:\n"
        "    greening.monkey_patch(interrupted='abort')\n"
        "except greening.PatchWarning as warning:\n"
        "    assert '__main__.table' in str(warning), warning\n"
        "else:\n"
        "    raise AssertionError\n"
        "assert greening.is_monkey_patched('time')\n"
        "greening.monkey_patch()  # it is said once\n"
    )


def test_a_class_that_is_derived_from_a_replaced_one_counts(run_program: Any) -> None:
    run_program(
        "import threading\n"
        "class Particular(threading.local):\n"
        "    def __setattr__(self, name, value): super().__setattr__(name, value)\n"
        "class Plain(threading.local): pass\n" + WARNED + "(warning,) = told\n"  # it is made green itself
        "assert '1 place refers' in str(warning.message) and '__main__.Particular' in str(warning.message), told\n"
    )


def test_an_annotation_is_no_place_that_calls(run_program: Any) -> None:
    run_program(
        "import threading, time\ndef f(lock: threading.Lock, nap: time.sleep) -> None: ...\n"
        + WARNED
        + "assert told == []\n"
    )
