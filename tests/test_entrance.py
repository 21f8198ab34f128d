"""Other interpreters of the process are refused, a second copy is refused on top of a patch, and the first goes on."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

Run = Callable[..., Any]

# `run(interpreter, source)` returns what the source raised, as text, or None. Legacy interpreters share the GIL and
# load any extension module, as those of mod_wsgi and uWSGI do.
OTHERS = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters
    def create(isolated):
        return _interpreters.create("isolated" if isolated else "legacy")
    def run(interpreter, source):
        failure = _interpreters.exec(interpreter, source)
        return None if failure is None else f"{failure.type.__name__}: {failure.msg}"
else:
    import _xxsubinterpreters as _interpreters
    def create(isolated):
        return _interpreters.create(isolated=isolated)
    def run(interpreter, source):
        try:
            _interpreters.run_string(interpreter, source)
        except _interpreters.RunFailedError as failure:
            return str(failure)

def check_refused(interpreter, source="import greening"):
    said = run(interpreter, source)
    assert said and "ImportError" in said and "main interpreter" in said, said

def check_works():
    import greening
    assert [greening.spawn(pow, 2, n).wait() for n in range(3)] == [1, 2, 4]
    late = greening.spawn_after(0.001, pow, 2, 3)
    assert late.wait() == 8
    queue = greening.Queue(0)
    greening.spawn(queue.put, 1)
    assert queue.get() == 1
    mine = greening.local()
    mine.x = 1
    with greening.Lock(), greening.Semaphore(), greening.RLock():
        assert mine.x == 1
"""

KINDS = pytest.mark.parametrize("isolated", [False, True], ids=["legacy", "isolated"])


@KINDS
@pytest.mark.parametrize("patch", ["", "greening.monkey_patch()"], ids=["unpatched", "patched"])
def test_a_second_interpreter_is_refused_and_the_main_one_goes_on(run_program: Run, isolated: bool, patch: str) -> None:
    run_program(
        f"""
import greening
{patch}
{OTHERS}
check_works()
for _ in range(2):
    other = create({isolated})
    check_refused(other)
    check_refused(other)
    check_refused(other, "from greening.sync.lock import Lock")
    check_works()
    _interpreters.destroy(other)
    check_works()
"""
    )


@KINDS
def test_an_interpreter_is_refused_before_the_main_one_has_imported_greening(run_program: Run, isolated: bool) -> None:
    run_program(
        f"""
{OTHERS}
other = create({isolated})
check_refused(other)
check_works()
check_refused(other)
_interpreters.destroy(other)
check_works()
"""
    )


def test_a_refused_interpreter_has_loaded_nothing_of_the_engine(run_program: Run) -> None:
    run_program(
        f"""
{OTHERS}
other = create(False)
check_refused(other)
assert run(other, "import sys; assert not {{'greening', 'greenlet', 'greening._core'}} & {{*sys.modules}}") is None
_interpreters.destroy(other)
"""
    )


def test_the_accelerator_itself_refuses_a_second_interpreter(run_program: Run) -> None:
    run_program(
        f"""
{OTHERS}
import greening
from greening._compiled import accelerator
if accelerator is not None:
    check_works()
    other = create(False)
    check_refused(other, f'''
from importlib.util import module_from_spec, spec_from_file_location
spec = spec_from_file_location("greening._accelerator", {{accelerator.__file__!r}})
spec.loader.exec_module(module_from_spec(spec))
''')
    check_works()
    _interpreters.destroy(other)
check_works()
"""
    )


def test_asking_does_not_leave_the_module_behind_that_a_program_may_import_later(run_program: Run) -> None:
    run_program(
        """
import sys
import greening
assert not {"_interpreters", "_xxsubinterpreters"} & {*sys.modules}
"""
    )


# The tests' own process does not import eventlet: that would warn at each of its forks.
needs_eventlet = pytest.mark.skipif(find_spec("eventlet") is None, reason="eventlet is missing")
EVENTLET = ("eventlet", "import eventlet\neventlet.monkey_patch(socket=True)", "--as-eventlet")
# As gevent's own looks after patch_socket().
STAND_IN = """
import sys, types
for name in ("gevent", "gevent.monkey"):
    sys.modules[name] = types.ModuleType(name)
sys.modules["gevent.monkey"].saved = {"socket": {}}
"""
GEVENT = ("gevent", STAND_IN, "call greening.monkey_patch()")


@pytest.mark.parametrize(
    ("runtime", "patch", "remedy"), [pytest.param(*EVENTLET, marks=needs_eventlet), GEVENT], ids=["eventlet", "gevent"]
)
@pytest.mark.parametrize("early", [True, False], ids=["import", "monkey_patch"])
def test_a_process_that_another_runtime_has_patched_is_refused(
    run_program: Run, runtime: str, patch: str, remedy: str, early: bool
) -> None:
    refused = (
        "try:\n    import greening\nexcept ImportError as error:\n    print(error)\n"
        "assert not [name for name in sys.modules if name.startswith('greening')]"
        if early
        else "try:\n    greening.monkey_patch()\nexcept greening.PatchError as error:\n    print(error)\n"
        "assert not greening.is_monkey_patched('time')"
    )
    done = run_program(f"{'' if early else 'import greening'}\n{patch}\nimport sys\n{refused}")
    assert runtime in done.stdout
    assert "(socket)" in done.stdout
    assert remedy in done.stdout


@needs_eventlet
def test_runtimes_that_are_only_imported_are_no_hindrance(run_program: Run) -> None:
    run_program(
        "import eventlet.patcher\nimport greening\ngreening.monkey_patch()\nassert greening.is_monkey_patched('time')"
    )


FORGET = """
import sys
def forget():
    for name in [name for name in sys.modules if name.partition(".")[0] == "greening"]:
        del sys.modules[name]
"""


def test_a_second_copy_is_refused_while_the_stdlib_is_patched(run_program: Run) -> None:
    run_program(
        f"""
{FORGET}
import greening
greening.monkey_patch()
kept = dict(sys.modules)
forget()
try:
    import greening
except ImportError as error:
    assert "unpatch" in str(error)
else:
    raise AssertionError("two copies")
sys.modules.update(kept)
import threading
thread = threading.Thread(target=greening.sleep)
thread.start()
thread.join()
"""
    )


def test_the_package_alone_may_be_imported_again_while_the_stdlib_is_patched(run_program: Run) -> None:
    run_program(
        f"""
{OTHERS}
import greening
greening.monkey_patch()
first = greening
del sys.modules["greening"]
import greening
assert greening.spawn is first.spawn
check_works()
greening.unpatch()
"""
    )
