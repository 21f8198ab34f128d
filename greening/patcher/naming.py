"""How a module leads to an object, for people: "logging.root.handlers[0].lock".

One walk over everything that the modules in `sys.modules` refer to, level by level, so that paths are short. It is done
when the first path is asked for and takes about a microsecond per object.
"""

import gc
import sys
from types import FrameType, FunctionType
from typing import cast

from greening.patcher.binding import anonymous, is_part, module_name, places
from greening.patcher.introspect import instance_dict, is_class, is_kept, is_module, module_dict, parts_of


class Paths:
    """Paths at one moment."""

    def __init__(self) -> None:
        self._parents: dict[int, object] = {}

    def of(self, thing: object) -> str:
        """ "module", "module.Class", "module.function", the path to the object, or "an instance of ..."."""
        if not self._parents:
            self._walk()
        chain = [thing]
        while not _has_name(chain[-1]):
            parent = self._parents.get(id(chain[-1]))
            if parent is None:
                return anonymous(thing)
            chain.append(parent)
        chain.reverse()
        return _name(chain[0]) + _steps(chain)

    def _walk(self) -> None:
        level: list[object] = [module for name, module in list(sys.modules.items()) if _is_open(module, name)]
        parents = self._parents = dict.fromkeys(map(id, level))
        while level:
            found = []
            for parent in level:
                for child in parts_of(parent):
                    if id(child) not in parents and gc.is_tracked(child) and type(child) is not FrameType:
                        parents[id(child)] = parent
                        if not is_module(child) and not is_kept(_home(child)):
                            found.append(child)
            level = found


def _is_open(module: object, name: str) -> bool:
    return is_module(module) and not is_kept(name) and not is_kept(module_dict(module).get("__name__"))


def _home(thing: object) -> object:
    return module_name(thing) if is_class(thing) or type(thing) is FunctionType else None


def _has_name(thing: object) -> bool:
    return is_module(thing) or is_class(thing) or type(thing) is FunctionType


def _name(thing: object) -> str:
    if is_module(thing):
        return str(module_dict(thing).get("__name__"))
    return f"{cast(type, thing).__module__}.{cast(type, thing).__qualname__}"


def _steps(chain: list[object]) -> str:
    text = ""
    position = 0
    while position < len(chain) - 1:
        whole, inner = chain[position : position + 2]
        position += 1
        container = whole
        if is_part(inner, whole):  # an object, its dictionary, a value: one step, not two
            if position == len(chain) - 1:
                break
            position += 1
            container, inner = inner, chain[position]
        wanted = {id(inner): inner}
        found = next(places(container, whole, wanted), None)
        if found is None and (namespace := instance_dict(container)) is not None:
            # The walk saw the value itself: the dictionary in between was made when an earlier path was asked for.
            found = next(places(namespace, container, wanted), None)
        text += "" if found is None else found.label
    return text
