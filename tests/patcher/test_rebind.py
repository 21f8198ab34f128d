"""Late patching: what other modules had captured follows."""

import sys
import time

import pytest

from greening.patcher.ledger import Changes
from greening.patcher.rebind import rebind

TARGET = """
    def sleep(seconds=0): return "blocking"
    class Lock:
        pass
    import _thread
    builtin = _thread.get_native_id
    kept_on_purpose = sleep
    common = int
"""


def green_sleep(seconds: float = 0) -> str:
    return "green"


class GreenLock:
    pass


def green_builtin() -> str:
    return "green builtin"


@pytest.fixture
def patch(fakes):
    target = fakes.module("victim", TARGET)
    entry = fakes.entry(
        "victim",
        replaces={"sleep": green_sleep, "Lock": GreenLock, "builtin": green_builtin, "common": 5},
    )
    return lambda: fakes.apply(entry) or target


def test_globals_under_whatever_name(fakes, patch) -> None:
    user = fakes.module("victim_user", """
        from victim import sleep, Lock as RealLock, builtin
        nap = sleep
        number = int
        def call(): return sleep(1)
    """)  # fmt: skip
    originals = dict(vars(user))
    patch()
    assert (user.sleep, user.nap, user.RealLock, user.builtin) == (green_sleep, green_sleep, GreenLock, green_builtin)
    assert user.call() == "green"
    assert user.number is int, "an object that is found everywhere is no original"
    fakes.unapply()
    assert {name: vars(user)[name] for name in originals} == originals


def test_default_arguments(fakes, patch) -> None:
    user = fakes.module("victim_user", """
        from victim import sleep
        def positional(a, nap=sleep): return nap()
        def keyword(*, nap=sleep): return nap()
        class C:
            def method(self, nap=sleep): return nap()
            @staticmethod
            def static(nap=sleep): return nap()
            @classmethod
            def klass(cls, nap=sleep): return nap()
    """)  # fmt: skip
    calls = [lambda: user.positional(1), user.keyword, user.C().method, user.C.static, user.C.klass]
    patch()
    assert [call() for call in calls] == ["green"] * 5
    fakes.unapply()
    assert [call() for call in calls] == ["blocking"] * 5


def test_class_attributes(fakes, patch) -> None:
    user = fakes.module("victim_user", """
        from victim import sleep, builtin, Lock
        class C:
            factory = Lock
            static = staticmethod(sleep)
            number = builtin
            class Inner:
                factory = Lock
    """)  # fmt: skip
    before = user.C().number()
    patch()
    assert (user.C.factory, user.C.Inner.factory) == (GreenLock, GreenLock)
    assert user.C().static(1) == "green"
    assert user.C().number() == "green builtin", "a builtin is not bound, so its green function must not be either"
    fakes.unapply()
    assert user.C.factory is user.C.Inner.factory is not GreenLock
    assert (user.C().static(1), user.C().number()) == ("blocking", before)


def test_dataclasses(fakes, patch) -> None:
    user = fakes.module("victim_user", """
        import dataclasses
        from victim import sleep, Lock
        empty = []
        @dataclasses.dataclass
        class Plain:
            lock: Lock = dataclasses.field(default_factory=Lock)
            nap: object = sleep
        @dataclasses.dataclass(slots=True, frozen=True)
        class Slotted:
            lock: object = dataclasses.field(default_factory=Lock)
            nap: object = sleep
    """)  # fmt: skip
    before = [type(kind().lock) for kind in (user.Plain, user.Slotted)]
    patch()
    for kind in (user.Plain, user.Slotted):
        assert type(kind().lock) is GreenLock and kind().nap is green_sleep
        assert kind.__dataclass_fields__["lock"].default_factory is GreenLock, "a class derived from it will need it"
    fakes.unapply()
    assert [type(kind().lock) for kind in (user.Plain, user.Slotted)] == before
    assert GreenLock not in before and user.Plain().nap(1) == "blocking"


def test_classes_of_attrs(fakes, patch) -> None:
    """A double of what attrs makes: fields with slots, and an `__init__` whose globals are its own."""
    user = fakes.module("victim_user", """
        from victim import sleep, Lock
        class Factory:
            __slots__ = ("factory",)
            def __init__(self, factory): self.factory = factory
        class Attribute:
            __slots__ = ("name", "default")
            def __init__(self, name, default): self.name, self.default = name, default
        class Job:
            __attrs_attrs__ = (Attribute("lock", Factory(Lock)), Attribute("nap", sleep))
            own = {"make_lock": Lock}
            exec("def __init__(self): self.lock = make_lock()", own)
            __init__ = own.pop("__init__")
    """)  # fmt: skip
    before = type(user.Job().lock)
    patch()
    assert type(user.Job().lock) is GreenLock
    lock, nap = user.Job.__attrs_attrs__
    assert lock.default.factory is GreenLock and nap.default is green_sleep, "a class derived from it will need it"
    fakes.unapply()
    assert type(user.Job().lock) is before is not GreenLock
    assert lock.default.factory is before and nap.default(1) == "blocking"


def test_tables_of_classes_of_the_stdlib(fakes, patch) -> None:
    user = fakes.module("victim_user", """
        from victim import Lock, sleep
        class Registry:
            table = {"lock": (Lock, "exposed"), "nap": sleep}
    """)  # fmt: skip
    original = user.Registry.table["lock"][0]
    theirs = fakes.module("victim_theirs", "from victim_user import Registry\n")
    user.Registry.__module__ = user.__name__
    patch()
    assert theirs.Registry.table["lock"][0] is original, "data of a program that may want it so"
    fakes.unapply()


def test_what_is_left_alone(fakes, patch) -> None:
    user = fakes.module("victim_user", """
        from victim import sleep
        class Borrowed: pass
        Borrowed.__module__ = "somewhere.else"
        Borrowed.nap = sleep
        bound = (sleep,)
        table = {"nap": sleep}
    """)  # fmt: skip
    keeper = fakes.module("pydevd", "from victim import sleep\n")
    target = patch()
    assert target.kept_on_purpose(1) == keeper.sleep(1) == user.bound[0](1) == user.table["nap"](1) == "blocking"
    assert vars(user.Borrowed)["nap"](1) == "blocking"


def test_no_foreign_code_runs(fakes, patch) -> None:
    touched: list[str] = []
    fakes.module("victim_helper").touched = touched
    fakes.module("victim_user", """
        import sys, types
        from victim import sleep
        from victim_helper import touched

        class Lazy(types.ModuleType):
            def __getattribute__(self, name):
                touched.append(name)
                return super().__getattribute__(name)

        class Liar:
            def __getattr__(self, name): touched.append(name)
            def __eq__(self, other): touched.append("eq")
            __hash__ = None
            @property
            def __class__(self): touched.append("class")
            @property
            def __dict__(self): touched.append("dict")

        class Meta(type):
            def __getattribute__(cls, name):
                touched.append(name)
                return super().__getattribute__(name)

        class Class(metaclass=Meta):
            nap = staticmethod(sleep)

        liar = Liar()
        lazy = Lazy("victim_lazy")
        sys.modules["victim_lazy"] = lazy
        sys.modules["victim_liar"] = liar
        del touched[:]
    """)  # fmt: skip
    try:
        patch()
        assert touched == []
    finally:
        del sys.modules["victim_lazy"], sys.modules["victim_liar"]


def test_a_class_that_refuses_does_not_stop_the_rest(fakes, patch) -> None:
    user = fakes.module("victim_user", """
        from victim import sleep
        class Meta(type):
            def __setattr__(cls, name, value): raise AttributeError("sealed")
        class Sealed(metaclass=Meta):
            nap = staticmethod(sleep)
        class Open:
            nap = staticmethod(sleep)
    """)  # fmt: skip
    patch()
    assert (user.Sealed.nap(), user.Open.nap()) == ("blocking", "green")


def test_it_is_cheap() -> None:
    sleep = time.sleep
    replaced = {"time": {"sleep": (sleep, sleep)}}
    changes = Changes()
    best = min(_timed(lambda: rebind(replaced, {"time"}, changes)) for _ in range(3))
    assert best < 0.5, f"{best} s for {len(sys.modules)} modules"


def _timed(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
