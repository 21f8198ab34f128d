"""Applying patches: in order, all or nothing, as often as one likes, and back again."""

import sys
import threading

import pytest

from greening.errors import PatchError
from greening.patcher.apply import apply_one, choose
from greening.patcher.ledger import ABSENT
from greening.patcher.spec import Entry, Patch, Undo

ENTRIES = (Entry("time", "time", "x"), Entry("_thread", "thread", "x"), Entry("threading", "thread", "x"))


@pytest.mark.parametrize(
    ("switches", "chosen"),
    [
        ({}, {"time", "thread"}),
        ({"time": True}, {"time"}),
        ({"time": False}, {"thread"}),
        ({"time": True, "thread": False}, {"time"}),
        ({"all": True}, {"time", "thread"}),
        ({"all": True, "thread": False}, {"time"}),
        ({"all": False}, set()),
        ({"all": False, "thread": True}, {"thread"}),
        ({"time": False, "thread": False}, set()),
    ],
)
def test_choose(switches, chosen) -> None:
    assert choose(ENTRIES, switches) == chosen


def test_choose_names_unknown_flags_and_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"'tyme'.*the flags are: all, time, thread"):
        choose(ENTRIES, {"tyme": True})


def test_names_are_replaced_added_removed_and_restored(fakes) -> None:
    module = fakes.module("victim", "old = 1\ngone = 2\nkept = 3\n")
    fakes.apply(fakes.entry("victim", replaces={"old": "green", "new": "added"}, removes=("gone", "never_there")))
    assert (module.old, module.new, module.kept, hasattr(module, "gone")) == ("green", "added", 3, False)
    assert fakes.ledger.replaced["victim"] == {
        "old": (1, "green"),
        "new": (ABSENT, "added"),
        "gone": (2, ABSENT),
    }
    fakes.unapply()
    assert (module.old, module.gone, module.kept, hasattr(module, "new")) == (1, 2, 3, False)
    assert not fakes.ledger.replaced


CLASSES = """
    class Base:
        def inherited(self): return "base"
    class Victim(Base):
        def own(self): return "own"
        class Inner:
            @staticmethod
            def deep(): return "deep"
    existing = Victim()
    class Derived(Victim): pass
"""


def test_methods_are_set_on_the_class_itself(fakes) -> None:
    module = fakes.module("victim", CLASSES)
    fakes.apply(
        fakes.entry(
            "victim",
            methods={
                "Victim": {"own": lambda self: "green own", "inherited": lambda self: "green inherited"},
                "Victim.Inner": {"deep": staticmethod(lambda: "green deep")},
            },
        )
    )
    for victim in (module.existing, module.Victim(), module.Derived()):
        assert (victim.own(), victim.inherited(), victim.Inner.deep()) == ("green own", "green inherited", "green deep")
    assert module.Base().inherited() == "base"
    fakes.unapply()
    assert (module.existing.own(), module.existing.inherited(), module.Victim.Inner().deep()) == ("own", "base", "deep")
    assert "inherited" not in vars(module.Victim)
    assert type(vars(module.Victim.Inner)["deep"]) is staticmethod


def test_twice_is_once(fakes) -> None:
    module = fakes.module("victim", "old = 1\n")
    entry = fakes.entry("victim", replaces={"old": "green"})
    fakes.apply(entry)
    fakes.apply(entry)
    fakes.unapply()
    assert module.old == 1
    fakes.unapply()
    assert module.old == 1


def test_a_second_call_extends(fakes) -> None:
    one, two = fakes.module("victim_one", "x = 1\n"), fakes.module("victim_two", "x = 2\n")
    entries = (fakes.entry("victim_one", replaces={"x": "a"}), fakes.entry("victim_two", replaces={"x": "b"}))
    fakes.apply(*entries, flags={"victim_one"})
    assert (one.x, two.x) == ("a", 2)
    fakes.apply(*entries, flags={"victim_two"})
    assert (one.x, two.x, fakes.ledger.flags) == ("a", "b", {"victim_one", "victim_two"})
    fakes.unapply()
    assert (one.x, two.x, fakes.ledger.flags) == (1, 2, set())


def test_patches_are_applied_in_the_order_of_the_catalogue(fakes) -> None:
    order: list[str] = []

    def noting(name: str):
        return lambda undo: order.append(name)

    names = ["victim_c", "victim_a", "victim_b"]
    for name in reversed(names):
        fakes.module(name)
    fakes.apply(*(fakes.entry(name, flag="all of them", after=noting(name)) for name in names))
    assert order == names


def test_after_registers_how_to_undo(fakes) -> None:
    calls: list[str] = []

    def after(undo: Undo) -> None:
        calls.append(f"after: {module.x}")
        undo.add(lambda: calls.append(f"first: {module.x}"))
        undo.add(lambda: calls.append(f"second: {module.x}"))

    module = fakes.module("victim", "x = 1\n")
    fakes.apply(fakes.entry("victim", replaces={"x": "green"}, after=after))
    fakes.unapply()
    assert calls == ["after: green", "second: green", "first: green"]


def failing_after(undo: Undo) -> None:
    raise ValueError("after is broken")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"after": failing_after}, "cannot patch 'victim_two': ValueError: after is broken"),
        ({"methods": {"Missing": {"x": 1}}}, "cannot patch the class 'Missing' of 'victim_two': there is none"),
        ({"methods": {"text": {"x": 1}}}, r"cannot patch victim_two\.text\.x: .*immutable type 'str'"),
    ],
)
def test_a_failure_undoes_the_whole_call(fakes, fields, message) -> None:
    kept = fakes.module("victim_kept", "x = 0\n")
    one, two = fakes.module("victim_one", "x = 1\n"), fakes.module("victim_two", "x = 2\ntext = str\n")
    undone: list[str] = []
    fakes.apply(fakes.entry("victim_kept", replaces={"x": "kept"}))
    broken = fakes.entry("victim_two", replaces={"x": "b"}, **fields)
    good = fakes.entry("victim_one", replaces={"x": "a"}, after=lambda undo: undo.add(lambda: undone.append("one")))
    later = fakes.entry("victim_later", replaces={"x": "c"})
    with pytest.raises(PatchError, match=message):
        fakes.apply(good, broken, later)
    assert (kept.x, one.x, two.x, undone) == ("kept", 1, 2, ["one"])
    assert fakes.ledger.flags == fakes.ledger.wanted.keys() == fakes.ledger.placed == {"victim_kept"}
    assert fakes.ledger.replaced.keys() == {"victim_kept"}
    fakes.file("victim_later", "x = 3\n")
    import victim_later

    assert victim_later.x == 3


def test_a_patch_that_cannot_be_loaded(fakes) -> None:
    fakes.module("victim")
    with pytest.raises(PatchError, match="the patch of 'victim' cannot be loaded from no_such_file"):
        fakes.apply(Entry("victim", "victim", "no_such_file"))
    fakes.module("empty_patch_file")
    with pytest.raises(PatchError, match=r"cannot be loaded from empty_patch_file.*PATCH"):
        fakes.apply(Entry("victim", "victim", "empty_patch_file"))
    with pytest.raises(PatchError, match=r"patch_of_other\.PATCH is not a Patch of 'victim'"):
        fakes.apply(fakes.entry("other")._replace(target="victim"))


def test_a_failing_undo_does_not_stop_the_others(fakes) -> None:
    def after(undo: Undo) -> None:
        undo.add(lambda: 1 / 0)

    module = fakes.module("victim", "x = 1\n")
    fakes.apply(fakes.entry("victim", replaces={"x": "green"}, after=after))
    with pytest.raises(PatchError, match="not everything could be taken back:\n  ZeroDivisionError"):
        fakes.unapply()
    assert module.x == 1


def test_what_others_have_changed_since_is_left_alone(fakes) -> None:
    module = fakes.module("victim", "x = y = 1\nclass C: x = 1\n")
    fakes.apply(fakes.entry("victim", replaces={"x": "green", "y": "green"}, methods={"C": {"x": "green"}}))
    module.x = module.C.x = "another's"
    del module.y
    fakes.unapply()
    assert (module.x, module.C.x, hasattr(module, "y")) == ("another's", "another's", False)


def test_bind_makes_the_patch_for_the_module(fakes) -> None:
    def bind(module):
        double = lambda: module.base * 2  # noqa: E731
        return Patch(target="victim", flag="victim", replaces={"double": double})

    module = fakes.module("victim", "base = 21\n")
    fakes.apply(fakes.entry("victim", bind=bind))
    assert module.double() == 42


def test_one_module_of_ones_own(fakes) -> None:
    module = fakes.module("victim", "x = 1\n")
    user = fakes.module("victim_user", "import victim\ndef f(): return victim.x\n")
    apply_one(Patch(target="victim", flag="none", replaces={"x": "green"}), module, fakes.ledger)
    assert user.f() == "green"
    fakes.unapply()
    assert user.f() == 1


def test_a_target_imported_by_a_patch_file_is_patched_in_the_same_call(fakes) -> None:
    fakes.module("victim_first")
    fakes.file("victim_second", "x = 2\n")
    fakes.file("patch_file", """
        import victim_second
        from greening.patcher.spec import Patch
        PATCH = Patch(target="victim_first", flag="first", replaces={})
    """)  # fmt: skip
    fakes.apply(Entry("victim_first", "first", "patch_file"), fakes.entry("victim_second", replaces={"x": "green"}))
    assert sys.modules["victim_second"].x == "green"


def test_from_many_threads_at_once(fakes) -> None:
    modules = [fakes.module(f"victim_{number}", "x = 1\n") for number in range(5)]
    entries = [fakes.entry(module.__name__, flag="all", replaces={"x": "green"}) for module in modules]
    seen: list[object] = []

    def patch() -> None:
        fakes.apply(*entries)
        seen.extend(module.x for module in modules)

    threads = [threading.Thread(target=patch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["green"] * 40
    fakes.unapply()
    assert [module.x for module in modules] == [1] * 5
