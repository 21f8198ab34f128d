"""Classes and functions of a module that something else stands in front of.

Facts: a profiler, a tracer or a proxy library that came first has put a function, a `functools.partial`, a proxy, a
mock or a class of its own under the name of a class (`threading.Condition`, `socket.socket`, `subprocess.Popen`). All
instances are still made of the class behind it, and our methods belong on that; a subclass inherits them.
Decision: a class is found by what it says of itself and by where its functions live, not by its name in the module.
While a patch is loaded and placed, the module has its own classes. Then what stood in front of them is put back.
A function is replaced together with its wrapper. Other modules may have captured the function itself before it was
wrapped. So it is looked for inside the wrapper, and is then known wherever it is.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import cast

from greening.patcher.introspect import Namespace, class_dict, class_mro, is_class, is_module, module_dict, parts_of

_subclasses: Callable[[type], list[type]] = vars(type)["__subclasses__"]
_qualname: Callable[[type], str] = vars(type)["__qualname__"].__get__


@contextmanager
def nothing_in_front(modules: Collection[ModuleType]) -> Iterator[None]:
    """Have the names of these modules mean the classes that the modules defined.

    Meanwhile other OS threads see that, too. No foreign code runs.
    """
    aside = [(namespace, name, namespace[name], own) for namespace, name, own in _covered(modules)]
    for namespace, name, _, own in aside:
        namespace[name] = own
    try:
        yield
    finally:
        for namespace, name, in_front, own in aside:
            if namespace.get(name) is own:
                namespace[name] = in_front


def class_behind(module: ModuleType, name: str) -> type | None:
    """The class that the module defined under this name, if something else stands there now; else None."""
    return next((own for _, covered, own in _covered([module]) if covered == name), None)


def _covered(modules: Collection[ModuleType]) -> list[tuple[Namespace, str, type]]:
    """Dictionary, name and class, for every class that something stands in front of."""
    found: dict[tuple[int, str], tuple[Namespace, str, type]] = {}
    namespaces = [module_dict(module) for module in modules]
    targets = {str(namespace.get("__name__")) for namespace in namespaces}
    defined = list(_defined_classes(targets))
    for namespace in namespaces:
        target = str(namespace.get("__name__"))
        for own, home in defined:
            # A package has its modules' classes under its own name as well (`asyncio.BaseEventLoop`).
            if home is namespace or (str(home.get("__name__")).startswith(f"{target}.") and _is_loaded(home)):
                name = _qualname(own)
                if name in namespace and _is_in_front(namespace[name], own):
                    found[id(namespace), name] = namespace, name, own
    return list(found.values())


def _is_in_front(value: object, own: type) -> bool:
    if not is_class(value):
        return True
    if _is_among(value, class_mro(own)):
        return False
    if _is_among(own, class_mro(cast(type, value))):
        return True
    # The stdlib's own replacements have the name by right: a compiled double (`asyncio.Future`), or the same class once
    # more after the module was executed again.
    return str(class_dict(value).get("__module__")).partition(".")[0] not in sys.stdlib_module_names


def _is_among(kind: object, classes: Collection[object]) -> bool:
    # By identity: a metaclass may say in Python what equal means, and 3.15's `typing._UnionGenericAlias` warns of it.
    return any(kind is one for one in classes)


def _is_loaded(home: Namespace) -> bool:
    module = sys.modules.get(str(home.get("__name__")))
    return is_module(module) and module_dict(module) is home


def _defined_classes(targets: Collection[str]) -> Iterator[tuple[type, Namespace]]:
    """All classes at the top level of these modules, and of those in these packages, with their modules' dictionaries.

    There are thousands of classes in a program, and all are looked at: their names first, since that is quick.
    """
    packages = tuple(f"{target}." for target in targets)
    seen: dict[int, type] = {}
    todo: list[type] = [object]
    while todo:
        for kind in _subclasses(todo.pop()):
            if id(kind) not in seen:
                seen[id(kind)] = kind
                todo.append(kind)
                name = class_dict(kind).get("__module__")
                if type(name) is str and (name in targets or name.startswith(packages)):
                    home = _home_of(kind, name)
                    if home is not None:
                        yield kind, home


def _home_of(kind: type, name: str) -> Namespace | None:
    """Where the functions of a class of the module `name` (or of its bases there) live; None: not at its top level."""
    if "." in _qualname(kind):
        return None
    for base in class_mro(kind):
        if class_dict(base).get("__module__") == name:
            for value in list(class_dict(base).values()):
                if type(value) is FunctionType and value.__globals__.get("__name__") == name:
                    return value.__globals__
    return None


# Levels inside a wrapper at which a function is looked for: a wrapper of a wrapper of a wrapper.
_DEPTH = 6
# Objects at most that are looked at for that.
_MOST = 500


def function_behind(module: ModuleType, name: str, in_front: object) -> object | None:
    """The function of the module that `in_front`, which has taken its name, calls; None where none is found.

    No foreign code runs.
    """
    if is_class(in_front) or _is_function_of(module, name, in_front) or not _is_foreign(in_front):
        return None
    seen = {id(in_front)}
    level = [in_front]
    for _ in range(_DEPTH):
        inside = [part for thing in level for part in _held_by(thing)]
        level = []
        for part in inside:
            if _is_function_of(module, name, part):
                return part
            if id(part) not in seen and len(seen) < _MOST:
                seen.add(id(part))
                level.append(part)
    return None


def _is_function_of(module: ModuleType, name: str, value: object) -> bool:
    if type(value) is BuiltinFunctionType:
        return value.__name__ == name and is_module(value.__self__)  # `os.read` is of `posix`
    return type(value) is FunctionType and value.__name__ == name and value.__globals__ is module_dict(module)


def _is_foreign(value: object) -> bool:
    """True for what is no part of the stdlib: a function from elsewhere, an object that can be called."""
    if type(value) is FunctionType:
        return str(value.__globals__.get("__name__")).partition(".")[0] not in sys.stdlib_module_names
    return type(value) is not BuiltinFunctionType


def _held_by(thing: object) -> list[object]:
    """What a wrapper may call: what it refers to, and the globals that its code names."""
    if type(thing) is FunctionType:
        code, namespace = thing.__code__, thing.__globals__
        named = [namespace[name] for name in code.co_names if name in namespace]
        return [*named, *(thing.__closure__ or ()), *(thing.__defaults__ or ()), *thing.__dict__.values()]
    if is_class(thing) or is_module(thing) or type(thing) is BuiltinFunctionType:
        return []
    return parts_of(thing)
