"""Spaces of private copies: what is copied, what is shared, and that the process does not notice."""

import asyncio
import importlib
import queue
import sys
import time
import types
import urllib.error
import urllib.parse

import pytest

from greening.errors import PatchError
from greening.patcher.isolation import ModuleSpace


def green_sleep(seconds: float) -> str:
    return f"green {seconds}"


class Green(ModuleSpace):
    """A space in which only `time`, `queue`, `os` and the module `victim` are to be green."""

    def __init__(self, fakes) -> None:
        catalogue = (
            fakes.entry("time", replaces={"sleep": green_sleep}),
            fakes.entry("os", replaces={"wait": green_sleep, "read": green_sleep}),
            fakes.entry("queue", replaces={"mark": "green"}, methods={"Queue": {"get": lambda self: "green get"}}),
            fakes.entry("victim", replaces={"x": "green"}),
        )
        super().__init__(catalogue, fakes.ledger, green=True)


@pytest.fixture
def space(fakes):
    before = dict(sys.modules)
    space = Green(fakes)
    yield space
    after = dict(sys.modules)
    assert {name for name in before if after.get(name) is not before[name]} - set(fakes.made) == set()
    copies = {id(module) for name, module in space.modules.items() if module is not sys.modules.get(name)}
    assert [name for name, module in after.items() if id(module) in copies] == []


def test_a_c_module_is_copied_by_name(space) -> None:
    copy = space.load("time")
    assert copy is not time
    assert copy.sleep(1) == "green 1"
    assert copy.monotonic is time.monotonic
    assert time.sleep is not copy.sleep
    assert space.load("time") is copy


def test_a_python_module_is_executed_again(space) -> None:
    copy = space.load("queue")
    assert copy.mark == "green"
    assert not hasattr(queue, "mark")
    assert copy.Queue is not queue.Queue
    assert (copy.Queue.__module__, copy.__name__, copy.__spec__.name) == ("queue", "queue", "queue")
    assert copy.Queue().get() == "green get"
    assert queue.Queue.get is not copy.Queue.get
    assert (copy.Full, copy.Empty) == (queue.Full, queue.Empty)


def test_os_keeps_its_environment(space) -> None:
    copy = space.load("os")
    import os

    assert copy.environ is os.environ
    assert copy.wait is green_sleep
    assert space.load("os.path") is os.path


def test_what_has_nothing_to_do_with_it_is_shared(space) -> None:
    for name in ("json", "logging", "enum", "math", "email.message", "iniconfig", "urllib.error"):
        assert space.load(name) is importlib.import_module(name)


def test_stdlib_packages_are_consistent(space) -> None:
    request = space.load("urllib.request")
    package = space.load("urllib")
    assert package is not urllib
    assert package.request is request is not importlib.import_module("urllib.request")
    assert package.parse is urllib.parse
    assert package.error is urllib.error
    assert request.URLError is urllib.error.URLError
    assert request.http.client is space.load("http.client")
    assert request.http.HTTPStatus is importlib.import_module("http").HTTPStatus


def test_enumerations_are_shared(space) -> None:
    signal, socket = space.import_copy("signal"), space.import_copy("socket")
    import signal as real_signal
    import socket as real_socket

    assert signal is not real_signal
    assert signal.SIGINT is real_signal.SIGINT
    assert signal.Signals is real_signal.Signals
    assert socket.AF_INET is real_socket.AF_INET
    assert type(socket.AF_INET) is socket.AddressFamily is real_socket.AddressFamily
    assert socket.socket is not real_socket.socket
    assert socket.timeout is TimeoutError


def test_a_named_module_is_copied_with_its_package(space, fakes) -> None:
    fakes.file("victims.__init__", "from . import plain\n")
    fakes.file("victims.plain", "class Thing: pass\n")
    real = importlib.import_module("victims.plain")
    copy = space.import_copy("victims.plain")
    assert copy is not real
    assert space.load("victims").plain is copy
    assert copy.Thing is not real.Thing
    assert space.import_copy("victims.plain") is copy


def test_third_party_modules_are_copied_when_they_meet_green_ones(space, fakes) -> None:
    fakes.file("victim_top", "import victim_sleeps, victim_late, victim_clean, victim_indirect\n")
    fakes.file("victim_sleeps", "from time import sleep\n")
    fakes.file("victim_late", "def f():\n  import time\n  return time.sleep(1)\n")
    fakes.file("victim_clean", "import time, os\ndef f(file): return time.time(), file.read()\n")
    fakes.file("victim_indirect", "import victim_late\n")
    top = space.import_copy("victim_top")
    assert top.victim_sleeps.sleep is green_sleep
    assert top.victim_late.f() == "green 1"
    assert top.victim_indirect.victim_late is top.victim_late
    assert top.victim_clean is sys.modules["victim_clean"]
    assert {"victim_top", "victim_sleeps", "victim_late", "victim_indirect"}.isdisjoint(sys.modules)


def test_packages_are_copied_whole(space, fakes) -> None:
    fakes.file("victims.__init__", "from . import clean\nfrom .sleeps import nap\n")
    fakes.file("victims.clean", "class Thing: pass\n")
    fakes.file("victims.sleeps", "import time\nfrom .clean import Thing\ndef nap(): return time.sleep(1)\n")
    fakes.file("victim_user", "from victims import nap, clean, sleeps as alias\nimport victims.clean as dotted\n")
    user = space.import_copy("victim_user")
    assert user.nap() == "green 1"
    assert user.clean is user.dotted is space.load("victims.clean")
    assert user.alias.Thing is user.clean.Thing
    assert not [name for name in sys.modules if name.startswith("victims")]


def test_namespace_packages(space, fakes) -> None:
    fakes.file("victim_space.sleeps", "from time import sleep\n")
    fakes.file("victim_space.clean", "x = 1\n")
    fakes.file("victim_user", "import victim_space.clean\nimport victim_space.sleeps\nspace = victim_space\n")
    user = space.import_copy("victim_user")
    assert user.space.sleeps.sleep is green_sleep
    assert user.space.clean is sys.modules["victim_space.clean"]


@pytest.mark.parametrize(
    "statement",
    [
        "import time; s = time.sleep",
        "from time import sleep as s",
        "from time import *; s = sleep",
        "s = __import__('time').sleep",
        "import importlib; s = importlib.import_module('time').sleep",
        "from importlib import import_module; s = import_module('time').sleep",
        "import importlib.util, importlib; s = importlib.import_module('time').sleep; assert importlib.util",
        "exec('import time'); s = time.sleep",
        "s = eval('__import__(\"time\").sleep')",
    ],
)
def test_every_way_to_import(space, fakes, statement) -> None:
    fakes.file("victim_user", statement + "\n")
    assert space.import_copy("victim_user").s is green_sleep


@pytest.mark.parametrize(
    "statement",
    [
        "from . import inner; s = inner.s",
        "from .inner import s",
        "from .inner import *",
        "from .deep import leaf; s = leaf.s",
        "from .deep.leaf import s",
        "import victims.deep.leaf as l; s = l.s",
        "import victims.deep.leaf; s = victims.deep.leaf.s",
        "import importlib; s = importlib.import_module('.inner', __package__).s",
        "from . import *; s = inner.s",
        "s = __import__('deep.leaf', globals(), None, ['s'], 1).s",
        "s = __import__('deep.leaf', globals(), None, [], 1).leaf.s",
        "s = __import__('', globals(), None, ['inner'], 1).inner.s",
    ],
)
def test_every_way_to_import_from_a_package(space, fakes, statement) -> None:
    fakes.file("victims.__init__", "__all__ = ['inner']\n" + statement + "\n")
    fakes.file("victims.inner", "from time import sleep as s\n")
    fakes.file("victims.deep.__init__")
    fakes.file("victims.deep.leaf", "from ..inner import s\n")
    assert space.import_copy("victims").s is green_sleep


def test_circular_imports(space, fakes) -> None:
    fakes.file("victims.__init__", "from . import a\n")
    fakes.file("victims.a", "import victims.b as b\nfrom time import sleep\ndef f(): return b.g()\n")
    fakes.file("victims.b", "from . import a\ndef g(): return a.sleep(2)\n")
    assert space.import_copy("victims").a.f() == "green 2"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("1 / 0", ZeroDivisionError),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("import victims.missing", ModuleNotFoundError),
        ("from victims import missing", ImportError),
        ("from victims.good import missing", ImportError),
        ("def f(:", SyntaxError),
    ],
)
def test_a_failing_import_leaves_nothing_behind(space, fakes, source, error) -> None:
    fakes.file("victims.__init__", "")
    fakes.file("victims.good", "from time import sleep\n")
    fakes.file("victims.bad", f"import sys\nfrom . import good\n{source}\n")
    before = dict(sys.modules)
    with pytest.raises(error):
        space.import_copy("victims.bad")
    assert sys.modules == before
    assert "victims.bad" not in space.modules
    assert not hasattr(space.load("victims"), "bad")
    fakes.file("victims.bad", "x = 1\n")
    importlib.invalidate_caches()


def test_missing_modules(space) -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_module'") as caught:
        space.import_copy("no_such_module")
    assert caught.value.name == "no_such_module"
    with pytest.raises(ModuleNotFoundError, match=r"'json\.nope'"):
        space.import_copy("json.nope")


def test_a_module_that_talks_about_itself_in_sys_modules(space, fakes) -> None:
    fakes.file("victim_self", """
        import dataclasses, sys, types
        from time import sleep
        me = sys.modules[__name__]
        assert vars(me) is globals()
        sys.modules[__name__ + ".made"] = types.ModuleType("made")
        @dataclasses.dataclass
        class Data:
            number: "int" = 5
            def nap(self): return sleep(self.number)
    """)  # fmt: skip
    fakes.file("victim_replaced", """
        import sys, types
        from time import sleep
        sys.modules[__name__] = types.SimpleNamespace(sleep=sleep)
    """)  # fmt: skip
    copy = space.import_copy("victim_self")
    assert copy.me is copy
    assert copy.Data().nap() == "green 5"
    assert space.import_copy("victim_replaced").sleep is green_sleep
    assert not [name for name in sys.modules if name.startswith(("victim_self", "victim_replaced"))]


def test_a_shared_module_never_sees_a_copy(space, fakes) -> None:
    # As a plugin system does it: a scan of the imports does not see it.
    fakes.file("victim_shared", "import importlib\nuser = importlib.import_module('victim_' + 'user')\n")
    fakes.file("victim_user", "from time import sleep\nimport victim_shared as shared\n")
    copy = space.import_copy("victim_user")
    assert copy.shared is sys.modules["victim_shared"]
    assert copy.shared.user is sys.modules["victim_user"] is not copy
    assert (copy.sleep, copy.shared.user.sleep) == (green_sleep, time.sleep)


def test_other_worlds_for_other_meanings(space, fakes) -> None:
    fakes.file("victim_user", "import time, queue, socketserver\n")
    plain = space.import_copy("victim_user")
    stand_in = types.ModuleType("queue")
    other = space.with_modules({"queue": stand_in}).import_copy("victim_user")
    assert other is not plain
    assert other.queue is stand_in
    assert other.time is plain.time
    assert plain.queue is space.load("queue")


def test_a_replaced_submodule(space, fakes) -> None:
    fakes.file("victim_user", "import email.utils\nfrom email import utils\n")
    stand_in = types.ModuleType("email.utils")
    user = space.with_modules({"email.utils": stand_in}).import_copy("victim_user")
    assert user.utils is user.email.utils is stand_in
    assert importlib.import_module("email.utils") is not stand_in


def test_modules_that_are_patched_in_place_are_used_as_they_are(fakes) -> None:
    module = fakes.module("victim", "x = 1\n")
    entry = fakes.entry("victim", replaces={"x": "green"})
    fakes.file("victim_user", "import victim\n")
    fakes.apply(entry)
    space = ModuleSpace((entry,), fakes.ledger, green=True)
    assert space.import_copy("victim") is module
    assert space.import_copy("victim_user").victim is module
    assert space.import_copy("json") is importlib.import_module("json"), "the process is green already"


def test_a_patch_of_a_shared_class_is_refused(fakes) -> None:
    entry = fakes.entry("time", methods={"struct_time": {"x": 1}})
    space = ModuleSpace((entry,), fakes.ledger, green=True)
    with pytest.raises(PatchError, match="shares the class 'struct_time'"):
        space.load("time")
    assert "time" not in space.modules


def test_after_is_for_the_process_only(fakes) -> None:
    calls: list[str] = []

    def bind(module):
        return entry_of["victim_bound"]._replace(bind=None, after=lambda undo: calls.append(module.__name__))

    entry_of = {}
    plain = fakes.entry("victim_plain", after=lambda undo: calls.append("never"))
    bound = fakes.entry("victim_bound", bind=bind)
    entry_of["victim_bound"] = sys.modules[bound.module].PATCH
    for name in ("victim_plain", "victim_bound"):
        fakes.file(name, "x = 1\n")
    space = ModuleSpace((plain, bound), fakes.ledger, green=True)
    space.load("victim_plain")
    space.load("victim_bound")
    assert calls == ["victim_bound"]


def test_pristine_copies(fakes) -> None:
    class C:
        pass

    entry = fakes.entry("queue", replaces={"mark": "green", "Empty": C}, methods={"Queue": {"get": lambda self: 5}})
    space = ModuleSpace((entry,), fakes.ledger, green=False)
    before = space.load("queue")
    try:
        fakes.apply(entry)
        assert queue.Queue().get() == 5
        for copy in (before, ModuleSpace((entry,), fakes.ledger, green=False).load("queue")):
            assert not hasattr(copy, "mark")
            made = copy.Queue()
            made.put("item")
            assert made.get() == "item"
    finally:
        fakes.unapply()


def test_a_pristine_c_module_after_patching(fakes) -> None:
    module = fakes.module("victim", "x = 1\ny = 2\n")
    entry = fakes.entry("time", replaces={"sleep": green_sleep, "added": 1}, removes=("gmtime",))
    real = time.sleep
    try:
        fakes.apply(entry)
        copy = ModuleSpace((entry,), fakes.ledger, green=False).load("time")
        assert (copy.sleep, hasattr(copy, "added"), copy.gmtime(0).tm_year) == (real, False, 1970)
        assert ModuleSpace((entry,), fakes.ledger, green=False).load("victim") is module
    finally:
        fakes.unapply()


def test_asyncio_again(space) -> None:
    copy = space.import_copy("asyncio")
    assert copy is not asyncio
    assert copy.CancelledError is asyncio.CancelledError

    async def answer() -> int:
        await copy.sleep(0)
        return 42

    assert copy.run(answer()) == 42
