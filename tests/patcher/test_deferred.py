"""Post-import hooks: when they run, and that they cannot be seen."""

import importlib
import importlib.resources
import importlib.util
import inspect
import pickle
import sys
import threading
from importlib.machinery import SourceFileLoader

import pytest

from greening.errors import PatchError
from greening.patcher.deferred import when_imported


def test_a_target_is_patched_when_it_is_imported(fakes) -> None:
    fakes.apply(fakes.entry("victim", replaces={"x": "green"}))
    fakes.file("victim", "x = 1\nbefore = x\n")
    user = fakes.module("victim_user", "from victim import x\n")
    assert user.x == "green"
    assert sys.modules["victim"].before == 1
    fakes.unapply()
    assert sys.modules["victim"].x == 1


def test_not_patched_any_more_after_unapply(fakes) -> None:
    fakes.apply(fakes.entry("victim", replaces={"x": "green"}))
    fakes.unapply()
    assert fakes.module("victim", "x = 1\n").x == 1


def test_submodules_and_packages(fakes) -> None:
    fakes.apply(fakes.entry("victims.inner", replaces={"x": "green"}), fakes.entry("victims", replaces={"y": "green"}))
    fakes.file("victims.__init__", "y = 1\n")
    inner = fakes.module("victims.inner", "x = 1\n")
    assert (inner.x, sys.modules["victims"].y) == ("green", "green")


def test_a_failing_patch_makes_the_import_fail(fakes) -> None:
    fakes.apply(fakes.entry("victim", replaces={"x": "green"}, methods={"Missing": {"x": 1}}))
    fakes.file("victim", "x = 1\n")
    with pytest.raises(PatchError, match="'Missing'"):
        importlib.import_module("victim")
    assert "victim" not in sys.modules
    assert "victim" not in fakes.ledger.placed


def test_an_import_that_fails_runs_no_hook(fakes) -> None:
    seen: list[object] = []
    when_imported("victim", seen.append)
    fakes.file("victim", "1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("victim")
    assert seen == []


def test_reload_and_reimport_are_patched_again(fakes) -> None:
    fakes.apply(fakes.entry("victim", replaces={"x": "green"}, methods={"C": {"f": lambda self: "green"}}))
    module = fakes.module("victim", "x = object()\nclass C:\n  def f(self): return 1\n")
    first = fakes.ledger.replaced["victim"]["x"][0]
    assert importlib.reload(module) is module
    assert (module.x, module.C().f()) == ("green", "green")
    del sys.modules["victim"]
    again = importlib.import_module("victim")
    assert (again.x, again.C().f(), module.x) == ("green", "green", "green")
    assert fakes.ledger.replaced["victim"]["x"][0] is first
    fakes.unapply()
    assert "green" not in (module.x, again.x, module.C().f(), again.C().f())


def test_the_module_looks_as_if_it_were_not_watched(fakes) -> None:
    fakes.file("victims.__init__", """
        import importlib.resources
        loader_inside = (type(__loader__).__name__, type(__spec__.loader).__name__)
        class Thing: pass
    """)  # fmt: skip
    (fakes.folder / "victims" / "data.txt").write_text("data")
    when_imported("victims", lambda module: None)
    module = importlib.import_module("victims")
    assert module.loader_inside == ("SourceFileLoader", "SourceFileLoader")
    assert type(module.__loader__) is type(module.__spec__.loader) is SourceFileLoader
    assert module.__loader__ is module.__spec__.loader
    assert module.__file__ == module.__spec__.origin
    assert importlib.resources.files("victims").joinpath("data.txt").read_text() == "data"
    assert type(pickle.loads(pickle.dumps(module.Thing()))) is module.Thing
    assert "class Thing" in inspect.getsource(module.Thing)


def test_a_spec_that_is_only_looked_at(fakes) -> None:
    fakes.file("victim", "x = 1\n")
    when_imported("victim", lambda module: None)
    spec = importlib.util.find_spec("victim")
    assert spec.loader.get_source("victim") == "x = 1\n"
    assert spec.loader.name == "victim"
    assert importlib.util.module_from_spec(spec).__name__ == "victim"
    assert "victim" not in sys.modules


def test_a_module_that_does_not_exist_stays_an_import_error(fakes) -> None:
    when_imported("victim_nowhere", lambda module: None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'victim_nowhere'"):
        importlib.import_module("victim_nowhere")


def test_compiled_and_frozen_modules(fakes) -> None:
    seen: list[object] = []
    cancel = [when_imported(name, seen.append).cancel for name in ("_heapq", "__hello__")]
    before = {name: sys.modules.pop(name, None) for name in ("_heapq", "__hello__")}
    try:
        imported = [importlib.import_module(name) for name in before]
    finally:
        for stop in cancel:
            stop()
        for name, module in before.items():
            if module is not None:
                sys.modules[name] = module
    assert seen[-2:] == imported


def test_a_hook_for_an_imported_module_runs_at_once(fakes) -> None:
    module = fakes.module("victim")
    seen: list[object] = []
    watch = when_imported("victim", seen.append)
    assert seen == [module]
    importlib.reload(module)
    assert seen == [module, module]
    watch.cancel()
    watch.cancel()
    importlib.reload(module)
    assert seen == [module, module]


def test_hooks_run_in_order_with_what_the_module_has_put_in_its_place(fakes) -> None:
    seen: list[object] = []
    when_imported("victim", lambda module: seen.append(("first", module)))
    when_imported("victim", lambda module: seen.append(("second", module)))
    fakes.file("victim", "import sys, types\nsys.modules[__name__] = types.SimpleNamespace(mine=True)\n")
    module = importlib.import_module("victim")
    assert module.mine
    assert seen == [("first", module), ("second", module)]


def test_other_threads_wait_until_the_hook_has_run(fakes) -> None:
    fakes.file("victim", "x = 1\n")
    in_hook, go_on = threading.Event(), threading.Event()

    def hook(module) -> None:
        in_hook.set()
        assert go_on.wait(10)
        module.x = "green"

    when_imported("victim", hook)
    first = threading.Thread(target=importlib.import_module, args=("victim",))
    first.start()
    assert in_hook.wait(10)
    seen: list[object] = []
    second = threading.Thread(target=lambda: seen.append(importlib.import_module("victim").x))
    second.start()
    go_on.set()
    first.join()
    second.join()
    assert seen == ["green"]


def test_a_module_that_another_thread_is_importing_is_waited_for(fakes) -> None:
    gate = fakes.module("victim_gate", "import threading\nstarted, go_on = threading.Event(), threading.Event()\n")
    fakes.file("victim", "import victim_gate\nvictim_gate.started.set()\nvictim_gate.go_on.wait(10)\nx = 1\n")
    importer = threading.Thread(target=importlib.import_module, args=("victim",))
    importer.start()
    assert gate.started.wait(10)
    patcher = threading.Thread(target=fakes.apply, args=[fakes.entry("victim", replaces={"x": "green"})])
    patcher.start()
    gate.go_on.set()
    importer.join()
    patcher.join()
    assert sys.modules["victim"].x == "green"
