"""Late patching: real locks (and other real things that block) that exist already, replaced wherever they are.

The caller says what is replaced by what; this file walks. Places that can be written to are given the green object.
Tuples are made anew, and their holders are given the new one. In sets, deques, kinds of dictionaries and their keys the
element is exchanged. The rest stays and is reported by the audit.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from typing import Any, Protocol

# Levels of tuples in tuples that are followed.
_MAX_DEPTH = 3

# Dictionaries that are given another key. Other kinds may do more when a key is set.
_KEYED = frozenset({dict, OrderedDict, defaultdict})


class Place(Protocol):
    """One place that refers to a thing (`patcher.references.Binding`)."""

    value: object
    container: object
    owner: object

    def replace(self, new: object) -> bool:
        """Put `new` there; False where that is impossible."""
        ...


class Search(Protocol):
    """Every place that refers to an object for which `predicate` is true, of exactly these types; none in `ignore`."""

    def __call__(
        self, predicate: Callable[[object], bool], kinds: Collection[type] = (), ignore: Iterable[object] = ()
    ) -> "list[Any]":  # of Place; a list is invariant
        ...


class Replacer:
    """Puts green objects in the place of real ones, and back.

    Args:
        search: finds the places.
        green_for: real object -> the green one that takes its place.
        green_kinds: classes whose instances have real ones inside on purpose.
        may_keep: is true of other objects that have real ones inside on purpose.
    """

    def __init__(
        self,
        search: Search,
        green_for: Callable[[Any], Any],
        green_kinds: tuple[type, ...],
        may_keep: Callable[[object], bool] | None = None,
    ) -> None:
        self._search = search
        self._green_for = green_for
        self._green_kinds = green_kinds
        self._may_keep = may_keep
        self._pairs: dict[int, tuple[Any, Any]] = {}

    def green(self, real: Any) -> Any:
        """The green object that takes the place of `real`: always the same one."""
        pair = self._pairs.get(id(real))
        if pair is None:
            pair = self._pairs[id(real)] = (real, self._green_for(real))
        return pair[1]

    def run(self, kinds: Collection[type]) -> None:
        """Replace every object of exactly these types."""
        self._put([(place, self.green(place.value)) for place in self._places(_anything, kinds)])

    def back(self, may: Callable[[Any], bool]) -> None:
        """Put the real ones back where the green ones are, as far as `may(green)` says."""
        pairs = list(self._pairs.values())
        self._pairs.clear()
        back = {id(green): real for real, green in pairs if may(green)}
        places = self._places(lambda thing: id(thing) in back, {type(green) for _, green in pairs}) if back else []
        ours = {id(pairs), *map(id, pairs)}
        self._put([(place, back[id(place.value)]) for place in places if id(place.container) not in ours])

    def _places(self, predicate: Callable[[object], bool], kinds: Collection[type]) -> list[Any]:
        return [
            place
            for place in self._search(predicate, kinds)
            if not issubclass(type(place.container), self._green_kinds)
            and not (self._may_keep is not None and self._may_keep(place.owner))
        ]

    def _put(self, orders: list[tuple[Any, Any]], depth: int = 0, ours: tuple[object, ...] = ()) -> None:
        tuples: dict[int, tuple[tuple[Any, ...], dict[int, Any]]] = {}
        for place, new in orders:
            container = place.container
            if place.replace(new):
                continue
            if issubclass(type(container), tuple) and place.owner is container:
                tuples.setdefault(id(container), (container, {}))[1][id(place.value)] = new
            else:
                _put_inside(container, place.value, new)
        if not tuples or depth == _MAX_DEPTH:
            return
        remade = {
            key: tuple.__new__(type(container), (news.get(id(value), value) for value in tuple.__iter__(container)))
            for key, (container, news) in tuples.items()
        }
        # A place refers to its container: the search would take that for ours, when only local variables have it.
        ours = (*ours, tuples, *tuples.values(), *(place for place, _ in orders))
        kinds = {type(container) for container, _ in tuples.values()}
        places = self._search(lambda thing: id(thing) in remade, kinds, ours)
        self._put([(place, remade[id(place.value)]) for place in places], depth + 1, ours)


def _put_inside(container: Any, old: object, new: object) -> None:
    """Replace an element of a container that has its elements inside."""
    kind = type(container)
    if kind is set:
        if old in container:
            container.remove(old)
            container.add(new)
    elif kind is deque:
        for index, value in enumerate(container):
            if value is old:
                container[index] = new
    elif issubclass(kind, dict):
        items = list(dict.items(container))
        for key, value in items:
            if value is old:
                dict.__setitem__(container, key, new)
        if kind in _KEYED and any(key is old for key, _ in items):
            items = list(container.items())
            container.clear()
            container.update((new if key is old else key, value) for key, value in items)  # in the same order


def _anything(thing: object) -> bool:
    return True
