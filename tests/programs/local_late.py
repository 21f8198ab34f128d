"""threading.local objects, and classes derived from it, that were there before the patch."""

import gc
import threading
import weakref

plain = threading.local()
plain.x = "main"
in_tuple = (plain, 1)


class Derived(threading.local):
    shared = "of the class"

    def __init__(self, first: object, *, second: int = 2) -> None:
        self.first = first
        self.second = second
        self.own: list[object] = []


class Deeper(Derived):
    __slots__ = ("slot",)

    @property
    def both(self) -> tuple[object, object]:
        return self.first, self.second

    @both.setter
    def both(self, values: tuple[object, int]) -> None:
        self.first, self.second = values

    @both.deleter
    def both(self) -> None:
        del self.first, self.second


class Mixed:
    def where(self) -> object:
        return self.place  # type: ignore[attr-defined]  # of the sub-class


class MixedIn(Mixed, threading.local):
    place: object = "nowhere"


derived = Derived((1,), second=5)
derived.own.append("main")
deeper = Deeper("e")
deeper.slot = 9
deeper.both = "f", 3
mixed = MixedIn()
mixed.place = "main"


class Instance:
    def __init__(self) -> None:
        self.local = threading.local()


instance = Instance()
instance.local.y = 1
seen: list[object] = []
ready, go = threading.Event(), threading.Event()


def native() -> None:
    plain.x = "native"
    derived.first = "native"
    ready.set()
    go.wait()
    seen.append((plain.x, derived.first, derived.own))


thread = threading.Thread(target=native)
thread.start()
ready.wait()

import greening

greening.monkey_patch()

assert isinstance(plain, threading.local) and plain.x == "main" and plain.__dict__ == {"x": "main"}
assert in_tuple[0] is plain and instance.local.y == 1


def has_its_own() -> Derived:
    assert not hasattr(plain, "x") and not hasattr(instance.local, "y")
    plain.x = "green"
    assert plain.__dict__ == {"x": "green"}
    greening.sleep(0)
    assert plain.x == "green"
    del plain.x
    assert not hasattr(plain, "x")
    assert (derived.first, derived.second, derived.own, derived.shared) == ((1,), 5, [], "of the class")
    derived.own.append(1)
    greening.sleep(0)
    assert derived.own == [1] and derived.__dict__["own"] == [1]
    assert deeper.first == "e" and deeper.slot == 9
    deeper.both = "g", 4
    assert deeper.both == ("g", 4) and deeper.__dict__["first"] == "g"
    del deeper.both
    assert not hasattr(deeper, "first")
    for wrong in (lambda: delattr(deeper, "first"), lambda: setattr(derived, "__dict__", {})):
        try:
            wrong()
        except AttributeError:
            pass
        else:
            raise AssertionError("no error")
    assert mixed.where() == "nowhere"
    mixed.place = "green"
    assert mixed.where() == "green"
    made = Derived(3)
    assert made.first == 3 and made.own == []
    made.own.append(2)
    return made


tasks = [greening.spawn(has_its_own) for _ in range(3)]
made, *_ = [task.wait() for task in tasks]
assert plain.x == "main" and derived.first == (1,) and derived.own == ["main"]
assert deeper.both == ("f", 3) and mixed.where() == "main"
assert made.first == 3 and made.own == [], "made in a green thread, at home everywhere"
go.set()
thread.join()
assert seen == [("native", "native", [])], seen


def in_thread() -> None:
    seen.append((hasattr(plain, "x"), derived.own))


thread = threading.Thread(target=in_thread)
thread.start()
thread.join()
assert seen[-1] == (False, [])


# Values go with their thread, and with their object.
class Value:
    pass


def leave_values(made: Derived) -> list["weakref.ref[Value]"]:
    derived.value, plain.value, made.value = values = Value(), Value(), Value()
    return [weakref.ref(value) for value in values]


left = greening.spawn(leave_values, made).wait()
greening.sleep(0)
gc.collect()
assert [reference() for reference in left] == [None] * 3
made.value = value = Value()
left = [weakref.ref(value)]
del made, tasks, value, _
gc.collect()
assert left[0]() is None

greening.unpatch()
assert type(plain) is threading.local and plain.x == "main" and derived.first == (1,)
assert Derived(8).first == 8 and Deeper(3, second=4).both == (3, 4)
