"""Every place that holds an object. One look at the whole heap, for what `rebind` cannot reach.

The garbage collector is asked, in a few sweeps at the speed of C: everything that any container refers to, then the
containers of what matched, then the owners of those. No foreign code runs (see `introspect`). Not seen: local variables
of running functions, and what only C extensions hold.
"""

import functools
import gc
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import compress
from types import BuiltinMethodType, CellType, FrameType, MethodType, ModuleType
from typing import cast

from greening.patcher.binding import Binding, Objects, module_name, owners_of, places
from greening.patcher.introspect import is_kept, parts_of
from greening.patcher.naming import Paths

_METHODS = frozenset({BuiltinMethodType, MethodType})

# Containers that do not say to which module they belong: their own holders do.
_UNOWNED = frozenset({dict, tuple, list, set, frozenset, CellType, functools.partial, *_METHODS})
# Levels of containers in containers that are climbed.
_MAX_CLIMB = 5


def holders(
    predicate: Callable[[object], bool], kinds: Collection[type] = (), ignore: Iterable[object] = ()
) -> list[Binding]:
    """Every place in the process that refers to an object for which `predicate` is true.

    Places inside greening itself, importlib and debuggers (`introspect.KEEPERS`) are left out. Thread-safety: a picture
    of one moment; what other OS threads do meanwhile may be missed.

    Args:
        predicate: is asked about every object that the garbage collector knows of. It must not run foreign code:
            compare `type(x)` or `id(x)`, do not use isinstance.
        kinds: only objects of exactly these types are asked about. Ten times as fast as asking about everything.
        ignore: containers of the caller's own.
    """
    everything = gc.get_objects()
    reached = _referents(everything)
    if kinds:
        looked_at = _METHODS.union(kinds)
        reached = list(compress(reached, map(looked_at.__contains__, map(type, reached))))  # at the speed of C
    bound = {id(value): value for value in reached if type(value) in _METHODS}
    if kinds:
        reached = [value for value in reached if type(value) in kinds]
    matches = {key: value for key, value in {id(value): value for value in reached}.items() if predicate(value)}
    if not matches:
        return []
    methods = {key: value for key, value in bound.items() if id(cast(MethodType, value).__self__) in matches}
    wanted = {**matches, **methods}
    ours = {id(thing) for thing in (everything, reached, bound, matches, methods, wanted, *ignore)} | methods.keys()
    del everything, reached, bound
    found = _holders_of(wanted, ours)
    paths = Paths()
    for holder in found:
        holder.path_of = paths.of
        if id(holder.value) in methods:
            method = cast(MethodType, holder.value)
            holder.value, holder.method = method.__self__, method.__name__
    return found


def holders_of(things: list[object], ignore: Collection[object] = ()) -> list[Binding]:
    """Every place in the process that refers to one of these objects. What `holders` leaves out, this leaves out, too.

    Faster than `holders`, as long as they are some dozens. Bound methods of them are not looked for.

    Args:
        things: not a list that anything else uses.
        ignore: containers that are not looked at.
    """
    wanted = {id(thing): thing for thing in things}
    return _holders_of(wanted, {id(each) for each in (things, wanted, ignore, *ignore)})


def _referents(things: list[object]) -> list[object]:
    modules = [thing for thing in things if type(thing) is ModuleType]
    others = [thing for thing in things if type(thing) is not ModuleType]
    return [part for module in modules for part in parts_of(module)] + gc.get_referents(*others)


def _holders_of(wanted: Objects, ours: Collection[int]) -> list[Binding]:
    containers = [container for container in _referrers(list(wanted.values())) if id(container) not in ours]
    owners = owners_of(containers)
    unowned = [c for c in containers if type(c) in _UNOWNED and id(c) not in owners]
    kept = _kept(unowned, ours)
    found: dict[tuple[int, object], Binding] = {}
    for container in containers:
        if id(container) in kept:
            continue
        owner = owners.get(id(container), container)
        if id(owner) in wanted:
            continue  # a class has bound methods of itself
        for number, holder in enumerate(places(container, owner, wanted)):
            found.setdefault((id(holder.container), number if holder.key is None else holder.key), holder)
    return list(found.values())


_QUESTION = object()


def _referrers(things: list[object]) -> Iterator[object]:
    """What refers to any of the things, without the frames and the argument tuples of this question and earlier ones.

    (On 3.15 the tuple of a call lives longer than the call: it would be taken for the program's, and each question
    would find more of them.)
    """
    for referrer in gc.get_referrers(_QUESTION, *things):
        is_question = type(referrer) is tuple and referrer[0] is _QUESTION
        if not is_question and referrer is not things and type(referrer) is not FrameType:
            yield referrer


def _kept(containers: list[object], ours: Collection[int]) -> set[int]:
    """Those containers that belong, by way of other containers, to modules that keep things on purpose."""
    holders_of: dict[int, list[object]] = {}
    notes: set[int] = set()  # the lists in it: one that had another in it would not be freed
    frontier = containers
    for _ in range(_MAX_CLIMB):
        wanted = {id(container) for container in frontier} - holders_of.keys()
        above: list[object] = []
        for referrer in _referrers(frontier) if wanted else ():
            if id(referrer) in ours or id(referrer) in notes or referrer is containers or referrer is above:
                continue
            for part in parts_of(referrer):
                if id(part) in wanted:
                    noted = holders_of.setdefault(id(part), [])
                    notes.add(id(noted))
                    noted.append(referrer)
            if type(referrer) in _UNOWNED:
                above.append(referrer)
        frontier = above
    return {id(container) for container in containers if _is_kept(container, holders_of)}


def _is_kept(container: object, holders_of: dict[int, list[object]]) -> bool:
    todo = [container]
    seen: set[int] = set()
    known = False
    while todo:
        current = todo.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        for holder in holders_of.get(id(current), ()):
            if type(holder) in _UNOWNED:
                todo.append(holder)
            elif not is_kept(module_name(holder)):
                return False
            else:
                known = True
    return known
