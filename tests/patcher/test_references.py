"""Finding the places that hold an object, and replacing it there."""

import gc
import weakref

import pytest

from greening.patcher.naming import Paths
from greening.patcher.references import holders

SOURCE = """
    import functools
    class Wanted:
        __slots__ = ("__weakref__",)
        def method(self): return self
    class Slotted:
        __slots__ = ("slot", "other")
    class Plain: pass
    class Outer:
        attribute = Wanted()
    plain, slotted = Plain(), Slotted()
    plain.attribute = Wanted()
    slotted.slot = Wanted()
    glob = Wanted()
    listed = [0, Wanted()]
    mapped = {"key": {1: Wanted()}}
    def default(a=Wanted(), *, b=Wanted()): pass
    def make():
        cell = Wanted()
        def closure(): return cell
        return closure
    closure = make()
    bound = Wanted().method
    pair = (0, Wanted())
    members = {Wanted()}
    partial = functools.partial(print, Wanted())
"""

PLACES = {
    "victim.glob": True,
    "victim.plain.attribute": True,
    "victim.slotted.slot": True,
    "victim.Outer.attribute": True,
    "victim.listed[1]": True,
    "victim.mapped['key'][1]": True,
    "victim.default, default argument 0": True,
    "victim.default.b": True,
    "victim.make.<locals>.closure.__closure__[0]": True,
    "victim.bound": True,
    "victim.pair[1]": False,
    "victim.members (inside)": False,
}


@pytest.fixture
def victim(fakes):
    gc.collect()
    return fakes.module("victim", SOURCE)


def find(victim) -> dict:
    kind = victim.Wanted
    return {holder.where: holder for holder in holders(lambda value: True, (kind,))}


def test_places_and_their_names(victim) -> None:
    found = find(victim)
    partial = [where for where in found if where.startswith("victim.partial")]
    assert {where: holder.replaceable for where, holder in found.items() if where not in partial} == PLACES
    assert partial
    assert all(type(holder.value) is victim.Wanted for holder in found.values())
    assert {where for where, holder in found.items() if holder.method} == {"victim.bound"}


def test_replacing(victim) -> None:
    class New:
        def method(self):
            return "new"

    new = New()
    for where, holder in find(victim).items():
        assert holder.replace(new) == PLACES.get(where, False)
    assert victim.glob is victim.plain.attribute is victim.slotted.slot is victim.Outer.attribute is new
    assert victim.listed[1] is victim.mapped["key"][1] is victim.closure() is new
    assert victim.default.__defaults__ == (new,)
    assert victim.default.__kwdefaults__ == {"b": new}
    assert victim.bound() == "new"
    assert type(victim.pair[1]) is victim.Wanted


def test_a_predicate_alone(victim) -> None:
    wanted = id(victim.glob)
    assert [holder.where for holder in holders(lambda value: id(value) == wanted)] == ["victim.glob"]


def test_nothing_found(victim) -> None:
    assert holders(lambda value: False) == []


def test_modules_that_keep_things_on_purpose_are_left_out(fakes) -> None:
    module = fakes.module("pydevd", "class Wanted: pass\nheld = Wanted()\n")
    assert holders(lambda value: True, (module.Wanted,)) == []


def test_containers_of_the_callers_own_are_left_out(victim) -> None:
    mine = [victim.glob]
    places = holders(lambda value: value is mine[0], ignore=[mine])
    assert [holder.where for holder in places] == ["victim.glob"]


def test_one_object_in_many_places(fakes) -> None:
    module = fakes.module("victim", "class Wanted: pass\na = b = Wanted()\nc = [a, a]\n")
    places = holders(lambda value: True, (module.Wanted,))
    assert sorted(holder.where for holder in places) == ["victim.a", "victim.b", "victim.c[0]", "victim.c[1]"]
    assert len({id(holder.value) for holder in places}) == 1


def test_an_attribute_is_found_beside_one_that_holds_a_dictionary_with_another() -> None:
    """The interpreter makes an instance's own dictionary when the owner of the other one is looked for."""

    class Wanted:
        pass

    class Both:
        pass

    both = Both()
    both.direct, both.table = Wanted(), {"a": Wanted()}  # type: ignore[attr-defined]  # made here
    found = holders(lambda value: True, {Wanted})
    assert sorted(place.label for place in found) == [".direct", "['a']"]
    for place in found:
        assert place.replace("new")
    assert vars(both) == {"direct": "new", "table": {"a": "new"}}


def test_no_foreign_code_runs(fakes) -> None:
    module = fakes.module("victim", """
        touched = []
        class Wanted:
            def __getattribute__(self, name): touched.append(name)
            def __eq__(self, other): touched.append("eq")
            def __hash__(self): return 1
            def __repr__(self): touched.append("repr"); return ""
        class Holds:
            def __init__(self): self.__dict__["x"] = Wanted()
            def __getattribute__(self, name):
                if name == "__dict__": return object.__getattribute__(self, name)
                touched.append(name)
        class Key(Wanted): pass
        held = Holds()
        keyed = {Key(): Wanted()}
        class List(list):
            def __iter__(self): touched.append("iter")
            def __getitem__(self, index): touched.append("item")
            def __setitem__(self, index, value): touched.append("set")
        listed = List([Wanted()])
        del touched[:]
    """)  # fmt: skip
    places = holders(lambda value: True, (module.Wanted,))
    names = sorted(holder.where for holder in places)
    assert names == ["victim.held.x", "victim.keyed[<Key>]", "victim.listed[0]"]
    assert all(holder.replace("new") for holder in places)
    assert module.touched == []
    assert list.__getitem__(module.listed, 0) == "new"


def test_paths_of_things_that_no_module_holds() -> None:
    paths = Paths()
    assert paths.of(object) == "builtins.object"
    assert paths.of(gc) == "gc"
    assert paths.of([]) == "a list"
    assert paths.of(paths) == "an instance of greening.patcher.naming.Paths"


def test_what_c_code_keeps_behind_a_module_is_left_alone(run_program) -> None:
    # CPython 3.12: `_asyncio` shows the garbage collector iterators that are free; taking one frees it twice.
    run_program("""
import asyncio
import gc

from greening.patcher.references import holders


async def wait() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 1)
    await future


marker = type("Marker", (), {})()
asyncio.run(wait())
for _ in range(3):
    assert [holder.where for holder in holders(lambda value: value is marker)] == ["__main__.marker"]
gc.collect()
""")


def test_a_search_keeps_nothing_alive() -> None:
    class Thing:
        pass

    thing = Thing()
    alive = weakref.ref(thing)
    places = [[(thing,)], {"x": (thing,)}]
    enabled = gc.isenabled()
    gc.disable()  # what was found is freed at once: a later search would find it in what waits to be freed
    try:
        found = holders(lambda value: type(value) is Thing, (Thing,))
        assert len(found) == 2
        del found, thing, places
        assert alive() is None
    finally:
        if enabled:
            gc.enable()
