"""Call everything in the accelerator with objects of every kind. What is wrong is an exception, never a crash.

accelerator_odd_objects.py untold: the engine runs in pure Python, so nothing has told the accelerator what to call.
accelerator_odd_objects.py told: the engine runs on it; the functions that tell it something are left alone.

The order is drawn from a fixed seed; SEED=n is another. With VERBOSE=1 the last line before a crash names the call.
"""

import gc
import importlib
import os
import random
import sys
import warnings
import weakref
from collections.abc import Callable
from typing import Any

warnings.simplefilter("ignore")
sys.unraisablehook = lambda unraisable: None
MODE = sys.argv[1]
if MODE == "untold":
    os.environ["GREENING_PURE"] = "1"

import _socket

from greenlet import greenlet

import greening
from greening.net.socket import GreenSocket

accelerator = importlib.import_module("greening._accelerator")
greening.sleep(0)

rng = random.Random(int(os.environ.get("SEED", "1")))
VERBOSE = "VERBOSE" in os.environ
TELLING = {"double", "tell_thread_class", "tell_lot_class", "tell_let_others_run", "double_socket_methods", "run_of"}
TELLING |= {"learn_runner", "watch_slots", "name_timeout", "set_round", "set_slice", "make_contexts_by"}
TELLING |= {"sleep"}  # for as long as it is told
WAITS = {"park", "wait"}
ROUNDS = 3

TYPES: list[type] = [value for value in vars(accelerator).values() if isinstance(value, type)]
FUNCTIONS: dict[str, Any] = {
    name: value
    for name, value in vars(accelerator).items()
    if callable(value) and not isinstance(value, type) and not name.startswith("__")
}


class Contrary:
    """Has every attribute, and each is odd."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return rng.choice(PLAIN)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return rng.choice(PLAIN)

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = None  # type: ignore[assignment]


class Fails:
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError

    def __index__(self) -> int:
        raise ZeroDivisionError

    def __bool__(self) -> bool:
        raise ZeroDivisionError


class Target:
    """What a weak reference may go to."""


class LooksLarge(type):
    __basicsize__ = 10**9


class NotARunner(metaclass=LooksLarge):
    _greening_task = None


def fails_to_subclass(kind: type) -> type | None:
    try:
        return type(f"Sub{kind.__name__}", (kind,), {"__slots__": ("extra",)})
    except TypeError:
        return None


target = Target()
PLAIN: list[Any] = [None, True, 0, -1, 2, 2**31, 2**63, 1.5, float("nan"), "", "x", b"x", bytearray(8)]
PLAIN += [(), (1,), (1, 2), [], [None], [1, 2], {}, {1: 1}, {"x": None}, set(), {1}]
PLAIN += [object(), int, list, type, len, print.__class__, ValueError, ValueError("x"), Contrary(), Fails()]
PLAIN += [weakref.ref(target), greenlet(), greenlet, _socket.socket, NotARunner(), lambda *args, **kwargs: None]
SUBTYPES = [sub for kind in TYPES if (sub := fails_to_subclass(kind))]


def made() -> list[Any]:
    """One of each of the accelerator's types and their subclasses, half of them without `__init__`."""
    found = []
    for kind in TYPES + SUBTYPES:
        for make in (kind, lambda kind=kind: kind.__new__(kind)):
            try:
                found.append(make())
            except Exception:
                continue
    return found


def attempt(what: str, call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    if VERBOSE:
        print(what, [type(arg).__name__ for arg in args], sorted(kwargs), flush=True)
    try:
        call(*args, **kwargs)
    except (Exception, greening.GreenletExit):
        pass


def arguments() -> list[Any]:
    return [rng.choice(rng.choice((PLAIN, objects))) for _ in range(rng.randrange(5))]


def call_oddly(what: str, call: Callable[..., Any]) -> None:
    name = what.rpartition(".")[2]
    if name != "enter":  # without a task it says that the running one waits, and a wait must follow
        attempt(what, call)
    for _ in range(6):
        odd = arguments()
        if name in WAITS:  # for 2**31 seconds it would be right to wait
            odd = [None if type(value) in (int, float) and value > 0 else value for value in odd]
        if name != "enter" or (odd and odd[0] is not None):
            attempt(what, call, *odd)
    attempt(what, call, *arguments(), x=1)


def names_of(value: Any) -> list[str]:
    return [name for name in dir(type(value)) if name == "__init__" or not hasattr(object, name)]


def set_oddly(value: Any, names: list[str]) -> None:
    for name in names:
        choice = rng.random()
        if choice < 0.3:
            attempt(f"del {type(value).__name__}.{name}", delattr, value, name)
        elif choice < 0.8:
            # A hub whose loop is a function that returns at once never comes to rest.
            odd = "x" if name == "_enter" else rng.choice(rng.choice((PLAIN, objects)))
            attempt(f"set {type(value).__name__}.{name}", setattr, value, name, odd)


def use(value: Any) -> None:
    names = names_of(value)
    for name in names:
        attempt(f"get {type(value).__name__}.{name}", getattr, value, name)
    for name in names:
        member = getattr(type(value), name, None)
        if callable(member):
            call_oddly(f"{type(value).__name__}.{name}", lambda *args, method=member, **kw: method(value, *args, **kw))
            attempt(f"{type(value).__name__}.{name} of another", member, rng.choice(PLAIN))
    for function in (repr, len, iter, bool, hash, weakref.ref, list):
        attempt(f"{function.__name__} {type(value).__name__}", function, value)
    attempt("subscript", lambda: value[0])
    attempt("with", lambda: value.__enter__() and value.__exit__(None, None, None))


def use_sockets() -> None:
    for sock in (GreenSocket(), GreenSocket.__new__(GreenSocket)):
        attempt("socket.settimeout", sock.settimeout, 0)
        for name in ("recv", "recv_into", "send", "sendall"):
            call_oddly(f"socket.{name}", getattr(sock, name))
            attempt(f"socket.{name} of another", getattr(GreenSocket, name), *arguments())
        attempt("socket.close", sock.close)


def run() -> None:
    global objects
    for _ in range(ROUNDS):
        objects = made()
        for value in list(objects):
            use(value)
            set_oddly(value, names_of(value))
            use(value)
        for name, function in FUNCTIONS.items():
            if MODE == "untold" or name not in TELLING:
                call_oddly(name, function)
        if MODE == "told":
            use_sockets()
        for value in list(objects):
            set_oddly(value, names_of(value))
        objects.clear()
        gc.collect()


objects: list[Any] = []
thread = greenlet(run)
while not thread.dead:
    try:
        thread.switch()  # again, when something has switched to its parent
    except greening.Deadlock:
        pass  # it has come to wait in a lot of its own

if MODE == "told":
    assert greening.spawn(lambda: 42).wait() == 42
print("survived")
