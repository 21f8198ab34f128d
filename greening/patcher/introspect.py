"""Looking at foreign objects without running any of their code.

`vars(x)`, `x.__dict__`, `isinstance(x, C)` and `getattr(x, name)` may all end in a property, a `__getattr__` or a
`__class__` of a proxy, and those open files, take locks and connect to servers. The functions here go through the
descriptors of the built-in types themselves.
"""

import gc
import sys
from collections.abc import Iterator
from types import FunctionType, GetSetDescriptorType, MappingProxyType, MemberDescriptorType, ModuleType

Namespace = dict[str, object]

_module_dict = vars(ModuleType)["__dict__"].__get__
_class_dict = vars(type)["__dict__"].__get__
_class_mro = vars(type)["__mro__"].__get__

# Modules that hold originals and real locks on purpose. Importing must go on while the hub itself imports; a debugger's
# own threads must run while everything else is stopped. From 3.15 on _py_warnings has a lock that only its copy in
# Python would take, and `warnings` takes another one, of C.
KEEPERS = frozenset(
    "greening greenlet importlib _frozen_importlib _frozen_importlib_external zipimport "
    "_py_warnings pydevd debugpy _pydevd_bundle _pydev_bundle _pydevd_frame_eval".split()
)

# How the names of original modules begin under which eventlet puts them into `sys.modules` (see greening.compat).
ORIGINALS = "__original_module_"


def is_module(value: object) -> bool:
    """True for a module, whatever it claims to be."""
    return issubclass(type(value), ModuleType)


def is_class(value: object) -> bool:
    """True for a class, whatever its metaclass says."""
    return issubclass(type(value), type)


def module_dict(module: object) -> Namespace:
    """A module's dictionary; a lazy module stays lazy."""
    namespace: Namespace = _module_dict(module)
    return namespace


def parts_of(thing: object) -> list[object]:
    """What an object refers to; of a module its dictionary only, not what the C code behind it keeps to itself.

    gc.get_referents() returns even that. On CPython 3.12 `_asyncio` keeps iterators there that have been freed. They
    are freed again with the answer, and the next garbage collection does not end.
    """
    return [module_dict(thing)] if type(thing) is ModuleType else gc.get_referents(thing)


def class_dict(owner: object) -> MappingProxyType[str, object]:
    """What a class itself has, without what it inherits."""
    namespace: MappingProxyType[str, object] = _class_dict(owner)
    return namespace


def class_mro(owner: type) -> tuple[type, ...]:
    """The order in which a class and its bases are searched."""
    order: tuple[type, ...] = _class_mro(owner)
    return order


def instance_dict(value: object) -> Namespace | None:
    """An object's dictionary, None where it has none. Makes a dictionary that the interpreter had not made yet."""
    if is_module(value):
        return module_dict(value)
    for owner in class_mro(type(value)):
        found = class_dict(owner).get("__dict__")
        if type(found) is GetSetDescriptorType:
            try:
                namespace = found.__get__(value)
            except Exception:  # noqa: BLE001  # wrapt's proxies ask what they wrap, which may have none
                return None
            return namespace if type(namespace) is dict else None
    return None


def slots_of(value: object) -> Iterator[tuple[str, MemberDescriptorType, object]]:
    """Name, descriptor and value of every slot of an object that has a value."""
    for owner in class_mro(type(value)):
        for name, found in list(class_dict(owner).items()):
            if type(found) is MemberDescriptorType:
                try:
                    yield name, found, found.__get__(value)
                except AttributeError:
                    continue


def is_kept(name: object) -> bool:
    """True for the name of a module that keeps originals on purpose."""
    return type(name) is str and (name.partition(".")[0] in KEEPERS or name.startswith(ORIGINALS))


def is_alias_of_kept(name: str) -> bool:
    """True for the name of a package in `sys.modules` whose real name is that of a module that keeps originals."""
    module = sys.modules.get(name.partition(".")[0])
    return is_module(module) and is_kept(module_dict(module).get("__name__"))


def is_made_by_keeper(owner: object) -> bool:
    """True for a class of a module that keeps things on purpose, even if it passes for another's (as a green lock
    passes for `_thread.lock`): its functions say where they are from."""
    namespace = class_dict(owner)
    return is_kept(namespace.get("__module__")) or any(
        type(value) is FunctionType and is_kept(value.__module__) for value in list(namespace.values())
    )


def module_of(value: object) -> object:
    """The name of the module that a class, a function or an object's class says it is from."""
    owner = value if is_class(value) else type(value)
    if owner is value or "__module__" in class_dict(owner):
        return class_dict(owner).get("__module__")
    return None
