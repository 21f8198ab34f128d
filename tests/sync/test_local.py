"""local: every thread has attributes of its own, by the rules of `threading.local`."""

import gc
import threading
from typing import Any
from weakref import ref

import pytest
from greenlet import greenlet

from greening._core.greenthread import spawn
from greening._core.waiting import sleep
from greening._originals import real_local, start_new_thread
from greening.errors import GreenletExit
from greening.sync.event import Event
from greening.sync.local import local, present
from greening.testing import settle

pytestmark = pytest.mark.usefixtures("fake")


class Thing:
    """Something that can be watched dying."""


class Plain(local):
    """Has a `__dict__`, as most subclasses do."""


def here(box: Any) -> dict[str, Any]:
    """The attributes that the running thread sees."""
    return dict(box.__dict__)


# -- One thread does not see what another has set ----------------------------------------------------------------------


def test_an_attribute_is_seen_by_the_thread_that_set_it_and_by_no_other() -> None:
    box = local()
    box.value = "main"

    def other() -> str:
        assert not hasattr(box, "value")
        box.value = "other"
        sleep(1)
        return str(box.value)

    threads = [spawn(other) for _ in range(3)]
    assert [thread.wait() for thread in threads] == ["other"] * 3
    assert box.value == "main"


def test_two_locals_of_one_thread_have_nothing_in_common() -> None:
    one, other = local(), local()
    one.value, other.value = 1, 2
    assert (one.value, other.value) == (1, 2)


def test_a_foreign_greenlet_has_attributes_of_its_own() -> None:
    box = local()
    box.value = "main"
    assert greenlet(lambda: here(box)).switch() == {}
    assert box.value == "main"


def test_an_os_thread_has_attributes_of_its_own_and_they_are_freed_when_it_ends() -> None:
    box, seen, freed, done = local(), list[dict[str, Any]](), threading.Event(), threading.Event()
    box.value = "main"

    class Last:
        def __del__(self) -> None:
            freed.set()

    def other() -> None:
        seen.append(here(box))
        box.value = "other"
        box.last = Last()
        box.again = box.value
        seen.append({name: value for name, value in here(box).items() if name != "last"})
        done.set()

    start_new_thread(other, ())
    assert done.wait(10)
    assert freed.wait(10)
    assert seen == [{}, {"value": "other", "again": "other"}]
    assert here(box) == {"value": "main"}


# -- Attributes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [local, Plain])
def test_an_attribute_is_set_read_and_deleted(kind: type[local]) -> None:
    box: Any = kind()
    box.value = 1
    assert (box.value, getattr(box, "value", None)) == (1, 1)
    del box.value
    assert not hasattr(box, "value")


@pytest.mark.parametrize("kind", [local, Plain])
def test_a_missing_attribute_is_an_error_that_names_it(kind: type[local]) -> None:
    box = kind()
    for _ in range(2):  # the first access makes the thread's attributes, the second finds them
        with pytest.raises(AttributeError, match="missing"):
            _ = box.missing
        with pytest.raises(AttributeError, match="missing"):
            del box.missing


def test_a_first_access_in_a_thread_may_be_of_any_kind() -> None:
    box = local()

    def error_of_delete() -> str:
        with pytest.raises(AttributeError) as caught:
            del box.value
        return str(caught.value)

    def write() -> dict[str, Any]:
        box.value = 2
        return here(box)

    assert "value" in spawn(error_of_delete).wait()
    assert spawn(write).wait() == {"value": 2}
    assert spawn(here, box).wait() == {}
    assert spawn(hasattr, box, "value").wait() is False


def test_the_dictionary_is_that_of_the_running_thread_and_may_be_changed_but_not_replaced() -> None:
    box = local()
    box.__dict__["value"] = 1
    assert box.value == 1
    box.other = 2
    assert box.__dict__ == {"value": 1, "other": 2}
    assert spawn(here, box).wait() == {}
    with pytest.raises(AttributeError, match="read-only"):
        box.__dict__ = {}
    with pytest.raises(AttributeError, match="read-only"):
        del box.__dict__
    assert box.value == 1


def test_an_attribute_of_the_thread_hides_one_of_the_class() -> None:
    class Box(local):
        value = "class"

        def method(self) -> str:
            return "method"

    box = Box()
    assert (box.value, box.method()) == ("class", "method")
    box.value = "mine"
    assert box.value == "mine"
    assert spawn(lambda: box.value).wait() == "class"
    del box.value
    assert box.value == "class"
    with pytest.raises(AttributeError):
        del box.value


def test_a_property_of_a_subclass_is_obeyed() -> None:
    class Box(local):
        @property
        def double(self) -> int:
            return int(self.half) * 2

        @double.setter
        def double(self, value: int) -> None:
            self.half = value // 2

        @double.deleter
        def double(self) -> None:
            del self.half

        @property
        def fixed(self) -> int:
            return 1

    box = Box()
    box.double = 10
    assert (box.half, box.double) == (5, 10)
    assert here(box) == {"half": 5}
    del box.double
    assert here(box) == {}
    with pytest.raises(AttributeError):
        box.fixed = 2
    with pytest.raises(AttributeError):
        del box.fixed


def test_a_name_that_a_base_without_it_stands_before_is_found_further_up() -> None:
    class Base(local):
        @property
        def value(self) -> str:
            return "property"

    class Box(Base):
        pass

    box: Any = Box()
    with pytest.raises(AttributeError):
        box.value = 1
    assert box.value == "property"


# -- Subclasses --------------------------------------------------------------------------------------------------------


def test_init_of_a_subclass_runs_once_in_every_thread_with_the_same_arguments() -> None:
    calls: list[tuple[int, str]] = []

    class Box(local):
        def __init__(self, number: int, *, word: str) -> None:
            calls.append((number, word))
            self.items = [number]

    box = Box(1, word="x")
    assert calls == [(1, "x")]
    box.items.append(2)

    def other() -> list[int]:
        box.items.append(3)
        return box.items

    assert spawn(other).wait() == [1, 3]
    assert calls == [(1, "x")] * 2
    assert box.items == [1, 2]
    assert calls == [(1, "x")] * 2


def test_an_init_that_fails_fails_the_access_and_is_tried_again() -> None:
    failing = False

    class Box(local):
        def __init__(self) -> None:
            self.half_done = True
            if failing:
                raise LookupError("not now")
            self.value = "made"

    box = Box()

    def other() -> str:
        nonlocal failing
        failing = True
        with pytest.raises(LookupError, match="not now"):
            _ = box.value
        with pytest.raises(LookupError, match="not now"):
            box.value = 1
        failing = False
        return str(box.value)

    assert spawn(other).wait() == "made"
    assert here(box) == {"half_done": True, "value": "made"}


def test_an_init_may_wait_and_is_still_run_once_for_its_thread() -> None:
    calls: list[int] = []

    class Box(local):
        def __init__(self) -> None:
            calls.append(1)
            sleep(1)
            self.value = len(calls)

    box = Box()
    threads = [spawn(lambda: (box.value, box.value)) for _ in range(2)]
    assert [thread.wait() for thread in threads] == [(3, 3), (3, 3)]
    assert len(calls) == 3


def test_arguments_without_an_init_that_takes_them_are_refused() -> None:
    with pytest.raises(TypeError, match="not supported"):
        local(1)
    with pytest.raises(TypeError, match="not supported"):
        Plain(word="x")


def test_a_slot_of_a_subclass_is_one_for_all_threads() -> None:
    class Box(local):
        __slots__ = ("common",)

    box = Box()
    box.common, box.own = 1, "main"

    def other() -> int:
        assert not hasattr(box, "own")
        box.common += 1
        return int(box.common)

    assert spawn(other).wait() == 2
    assert box.common == 2
    assert here(box) == {"own": "main"}
    del box.common
    assert not hasattr(box, "common")
    with pytest.raises(AttributeError):
        del box.common


def test_it_behaves_as_the_local_of_the_stdlib() -> None:
    def tell(kind: Any) -> list[Any]:
        class Box(kind):
            __slots__ = ("slot",)
            value = "class"

            def __init__(self, number: int) -> None:
                self.number = number

        box = Box(5)
        told: list[Any] = [box.number, box.value, box.__dict__, hasattr(box, "slot")]
        box.slot = box.value = 1
        told += [dict(box.__dict__), box.slot]
        for change in (
            lambda: setattr(box, "__dict__", {}),
            lambda: delattr(box, "missing"),
            lambda: kind(1),
            lambda: Box(),
        ):
            try:
                change()
            except (AttributeError, TypeError) as error:
                told.append(type(error))
        return told

    assert tell(local) == tell(real_local)


# -- Memory ------------------------------------------------------------------------------------------------------------


def test_what_a_thread_had_is_freed_when_it_ends() -> None:
    box, watch = local(), list[ref[Thing]]()
    gate = Event()

    def other() -> None:
        box.thing = Thing()
        watch.append(ref(box.thing))
        gate.wait()

    thread = spawn(other)
    settle()
    assert watch[0]() is not None
    gate.send()
    thread.wait()
    assert watch[0]() is None


def test_what_a_killed_thread_had_is_freed() -> None:
    box, watch = local(), list[ref[Thing]]()

    def other() -> None:
        box.thing = Thing()
        watch.append(ref(box.thing))
        sleep(100)

    thread = spawn(other)
    settle()
    thread.kill()
    with pytest.raises(GreenletExit):
        thread.wait()
    assert watch[0]() is None


def test_what_all_threads_had_is_freed_with_the_local() -> None:
    box, watch, gate = [local()], list[ref[Thing]](), Event()

    def other() -> None:
        thing = Thing()
        watch.append(ref(thing))
        box[0].thing = thing
        del thing
        gate.wait()

    threads = [spawn(other) for _ in range(3)]
    settle()
    assert None not in [thing() for thing in watch]
    box.clear()
    assert [thing() for thing in watch] == [None] * 3
    gate.send()
    for thread in threads:
        thread.wait()


def test_a_cycle_through_a_local_is_seen_by_the_garbage_collector() -> None:
    box = local()
    box.itself, box.thing = box, Thing()
    watch = ref(box.thing)
    del box
    gc.collect()
    assert watch() is None


def test_a_local_that_was_freed_before_its_threads_end_is_no_concern_of_theirs() -> None:
    gate = Event()

    def other() -> str:
        box = local()
        box.value = 1
        del box
        gate.wait()
        return "ended"

    thread = spawn(other)
    settle()
    gate.send()
    assert thread.wait() == "ended"


def test_a_local_that_is_freed_by_the_end_of_its_last_thread_is_freed_whole() -> None:
    watch: list[ref[Thing]] = []

    class Box(local):
        pass

    def other() -> None:
        box = Box()
        box.itself, box.thing = box, Thing()
        watch.append(ref(box.thing))

    spawn(other).wait()
    assert watch[0]() is None


def test_a_thread_that_comes_later_starts_with_nothing() -> None:
    box = local()

    def use() -> dict[str, Any]:
        before = here(box)
        box.value = 1
        return before

    assert [spawn(use).wait() for _ in range(50)] == [{}] * 50


def test_what_is_present_is_told_without_making_anything() -> None:
    mine = local()
    mine.name = "here"
    assert present(mine) == {"name": "here"}
    assert spawn(present, mine).wait() is None

    def later() -> Any:
        mine.name = "there"
        return present(mine)

    assert spawn(later).wait() == {"name": "there"}
    assert present(mine) == {"name": "here"}
