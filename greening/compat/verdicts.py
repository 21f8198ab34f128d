"""What becomes of a use of eventlet under greening: "same", "same, but ..." or "missing".

Whether there is such a name, and which parameters it takes, is asked of the modules of `greening.compat.eventlet`
themselves. Only the remarks come from a table (differences.py), whose names a test looks up.
"""

import importlib
import inspect
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import ModuleType
from typing import Any, Final

from greening.compat.alias import ALIAS, REAL, real_name
from greening.compat.differences import DIFFERENCES
from greening.compat.missing import MISSING
from greening.compat.uses import ORIGINAL, Use

# Keys of a WSGI environ. They look like names of modules.
ENVIRON_KEYS: Final = frozenset(
    f"{ALIAS}.{key}" for key in ("input", "posthooks", "minimum_write_chunk_size", "set_idle", "headers_raw")
)


# The same thing by another name, where the table has it once.
_CANONICAL: Final = {
    "eventlet.BoundedSemaphore": "eventlet.semaphore.BoundedSemaphore",
    "eventlet.CappedSemaphore": "eventlet.semaphore.CappedSemaphore",
    "eventlet.Event": "eventlet.event.Event",
    "eventlet.Queue": "eventlet.queue.Queue",
    "eventlet.Semaphore": "eventlet.semaphore.Semaphore",
    "eventlet.greenpool.GreenPool": "eventlet.GreenPool",
    "eventlet.greenthread.spawn_n": "eventlet.spawn_n",
    "eventlet.patcher.monkey_patch": "eventlet.monkey_patch",
    "eventlet.timeout.Timeout": "eventlet.Timeout",
}

# Hubs that are one and the same.
_HUBS: Final = re.compile(r"eventlet\.hubs\.(asyncio|epolls|kqueue|poll|selects)\.Hub\b")


class Kind(StrEnum):
    """How it is."""

    SAME = "same"
    BUT = "same, but"
    MISSING = "missing"


@dataclass(frozen=True)
class Verdict:
    """How a use is, and what there is to say about it.

    Args:
        note: "" if there is nothing.
    """

    kind: Kind
    note: str = ""

    def __str__(self) -> str:
        separator = {Kind.SAME: "", Kind.BUT: " ", Kind.MISSING: ": "}[self.kind]
        return f"{self.kind}{separator if self.note else ''}{self.note}"


@dataclass(frozen=True)
class Found:
    """What a name means here.

    Args:
        value: the object.
        name: the part of the name that was looked up: it stops at what is neither a module nor a class.
    """

    value: Any
    name: str


def look_up(name: str) -> Found:
    """What a name of eventlet's means under the alias.

    Raises:
        LookupError: there is no such thing; the message says where the search ended.
    """
    parts = name.split(".")
    if name.startswith(ORIGINAL):
        return Found(_module(parts[0].removeprefix(ORIGINAL)), name)
    value: Any = _module(REAL)
    for depth, part in enumerate(parts[1:], 1):
        so_far = ".".join(parts[: depth + 1])
        if isinstance(value, ModuleType):
            try:
                value = getattr(value, part)
            except AttributeError:
                value = _module(_real(so_far))
            except ImportError as error:
                raise LookupError(str(error)) from error
        elif isinstance(value, type):
            try:
                value = inspect.getattr_static(value, part)
            except AttributeError:
                if hasattr(value, "__getattr__"):  # it stands for another object, which may have anything
                    return Found(value, ".".join(parts[:depth]))
                raise LookupError(f"there is no {so_far}") from None
        else:
            return Found(value, ".".join(parts[:depth]))
    return Found(value, name)


def _real(name: str) -> str:
    return real_name(name) or name


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise LookupError(f"there is no {name}") from error
    except ImportError as error:  # an extra that is not installed; the message says which
        raise LookupError(str(error)) from error


def judge(use: Use) -> Verdict | None:
    """The verdict on a use. None: it is a method that a subclass has added, and none of eventlet's."""
    if use.kind == "string" and use.name in ENVIRON_KEYS:
        return Verdict(Kind.SAME)
    if (lack := _why_missing(use.name)) is not None:
        return Verdict(Kind.MISSING, lack)
    try:
        found = _looked_up(use.name)
    except LookupError as error:
        return None if use.kind == "override" else Verdict(Kind.MISSING, str(error))
    if use.kind == "call" and (wrong := wrong_arguments(found.value, use)) is not None:
        return Verdict(Kind.MISSING, wrong)
    note = _remark(found.name)
    return Verdict(Kind.SAME) if note is None else Verdict(Kind.BUT, note)


_looked_up = lru_cache(maxsize=None)(look_up)


def _why_missing(name: str) -> str | None:
    """What the table of missing names says about a name, or about what it is in."""
    name = _HUBS.sub("eventlet.hubs.hub.BaseHub", name)
    while name and name != ALIAS:
        if name in MISSING:
            return MISSING[name]
        name = name.rpartition(".")[0]
    return None


def _remark(name: str) -> str | None:
    """What the table of differences says about a name, or about the class of a method."""
    name = _CANONICAL.get(name, name)
    if name in DIFFERENCES:
        return DIFFERENCES[name].note
    owner = name.rpartition(".")[0]
    owner = _CANONICAL.get(owner, owner)
    if owner in DIFFERENCES and isinstance(_looked_up(owner).value, type):
        return DIFFERENCES[owner].note
    return None


def wrong_arguments(value: Any, use: Use) -> str | None:
    """What is wrong with a call's arguments, as far as can be told without running it."""
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):  # not callable, or a builtin that does not say
        return None
    kinds = {parameter.kind for parameter in parameters}
    names = {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}
    if inspect.Parameter.VAR_KEYWORD not in kinds:
        for keyword in use.keywords:
            if keyword not in names:
                return f"{use.name} has no parameter {keyword!r}"
    takes = sum(each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters)
    if inspect.Parameter.VAR_POSITIONAL not in kinds and use.positional is not None and use.positional > takes:
        return f"{use.name} takes {takes} positional arguments, and not {use.positional}"
    return None
