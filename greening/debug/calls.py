"""What a line calls that blocks, and what to do about it.

Facts: a C function has no frame. CPython knows the columns of the instruction that is being executed (PEP 657), so the
source tells which call it is. What the names of the call stand for is looked up in modules and classes without running
any code: a property, or a `__getattr__`, is not asked.
Decision: what cannot be found out is left out. The remedy then goes by whether the thread computed or waited.
"""

import ast
import builtins
import linecache
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any, NamedTuple

from greening._core.names import function_name
from greening.debug.known import BLOCKERS, LIBRARIES, plain
from greening.patcher.ledger import LEDGER
from greening.patches import CATALOGUE

# The call is at most so long when it is shown.
_LONGEST = 60

# The flag of `monkey_patch` by the module that a function comes from. What ctypes calls is anybody's.
_FLAGS = {entry.target: entry.flag for entry in CATALOGUE if entry.target != "ctypes"}
_FLAGS.update(_socket="socket", _ssl="socket", _queue="thread", posix="os", _io="os")

_REGULAR_EXPRESSIONS = ("re", "_sre", "regex", "_regex")

# Modules in C, by how their names begin, whose long calls give up the GIL.
_GIVE_UP_THE_GIL = ("_hashlib", "_sha", "_md5", "_blake2", "zlib", "_bz2", "_lzma", "_zstd")


class Call(NamedTuple):
    """The call that a line is in.

    Attributes:
        text: as the source has it: "hashlib.sha256(data)"; "": unknown.
        module: where the function, or the class of its object, comes from: "_hashlib"; "": unknown.
        name: what the function is called there.
    """

    text: str
    module: str = ""
    name: str = ""


def call_of(frame: FrameType, lasti: int) -> Call:
    """The call that the innermost frame of an OS thread is in. Thread-safe; the frame may go on meanwhile.

    Args:
        lasti: its instruction, as `f_lasti`.
    """
    text, node = _source_of(frame.f_code, lasti, frame.f_globals)
    if not isinstance(node, ast.Call):
        return Call("")
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    holder = _value(node.func.value, frame) if isinstance(node.func, ast.Attribute) else None
    return Call(text, _module_of(holder, _value(node.func, frame)), name)


def call_without_frame(function: Callable[..., Any] | None) -> Call:
    """The call of a green thread whose function is in C."""
    name = function_name(function)
    return Call("", _module_of(None, function) if name else "", name)


def _source_of(code: CodeType, lasti: int, names: dict[str, Any]) -> tuple[str, ast.expr | None]:
    """The expression that is being evaluated, as text and parsed."""
    positions = next(islice(code.co_positions(), max(0, lasti) // 2, None), None)
    first, last, begin, end = positions or (None,) * 4
    if first is None or last is None or begin is None or end is None:
        return "", None
    lines = [linecache.getline(code.co_filename, number, names) for number in range(first, last + 1)]
    pieces = [line.encode() for line in lines]
    if not pieces:
        return "", None
    pieces[-1] = pieces[-1][:end]
    pieces[0] = pieces[0][begin:]
    text = b"".join(pieces).decode(errors="replace")
    try:
        node = ast.parse(f"({text})", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "", None
    flat = " ".join(text.split())
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 3] + "...", node


def _value(node: ast.expr, frame: FrameType) -> Any:
    """What a name, or an attribute of it, stands for. None: unknown."""
    if isinstance(node, ast.Name):
        places: tuple[Mapping[str, Any], ...] = (frame.f_locals, frame.f_globals, vars(builtins))
        return next((names[node.id] for names in places if node.id in names), None)
    if not isinstance(node, ast.Attribute):
        return None
    holder = _value(node.value, frame)
    if issubclass(type(holder), ModuleType):
        return vars(holder).get(node.attr)
    own = _own_attributes(holder)
    if node.attr in own:
        return own[node.attr]
    kind = holder if issubclass(type(holder), type) else type(holder)
    return next((vars(base)[node.attr] for base in kind.__mro__ if node.attr in vars(base)), None)


def _own_attributes(thing: Any) -> dict[str, Any]:
    try:
        own = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return {}
    return own if type(own) is dict else {}


def _module_of(holder: Any, function: Any) -> str:
    """Where a function comes from that is called by its name, or as an attribute of `holder`."""
    if isinstance(function, FunctionType | BuiltinFunctionType | type):
        module = function.__module__
        if isinstance(module, str) and module != "builtins":
            return module
        if isinstance(function, BuiltinFunctionType) and holder is None:
            holder = function.__self__
    elif holder is None:
        holder = function  # an object that can be called
    module = holder.__name__ if issubclass(type(holder), ModuleType) else type(holder).__module__
    return module if holder is not None and isinstance(module, str) and module != "builtins" else ""


def remedy_for(call: Call, modules: Iterable[str], computed: bool | None, *, in_thread: bool = False) -> str:
    """What to do about it.

    Args:
        in_thread: it was made in a native thread, and kept the GIL.
        modules: those of the lines of the stack, the innermost first.
        computed: it used the processor, rather than waited; None: unknown.
    """
    flag = _FLAGS.get(call.module, "")
    if flag and flag not in LEDGER.flags and not computed:
        return "call greening.monkey_patch() first thing, or run it by `python -m greening`: this is not patched"
    if flag and flag != "os" and not computed:
        return (
            f"look into greening.debug.audit(), which lists what has kept an original such as this {call.name}; where "
            "it lists none, greening.tpool.execute"
        )
    names = (call.module, *modules)
    for blocker in (*BLOCKERS, *LIBRARIES):
        if any(_is_of(name, known) for known in blocker.modules for name in names):
            return plain(blocker.remedy)
    if any(name in _REGULAR_EXPRESSIONS for name in names):
        return "a pattern that backtracks less (atomic groups, possessive quantifiers), or another process"
    if in_thread:
        return "another process: the call keeps the GIL"
    if call.module.startswith(_GIVE_UP_THE_GIL):
        return "greening.tpool.execute: the call gives up the GIL, so green threads go on meanwhile"
    if computed is False:
        return "greening.tpool.execute, if the call gives up the GIL while it waits; or a library that is cooperative"
    return (
        "another process; or greening.sleep(0) now and then, in a loop; or greening.tpool.execute, if the call gives "
        "up the GIL"
    )


def _is_of(name: str, module: str) -> bool:
    """Whether `name` is a module, or one of its parts; `sqlite3` and `_sqlite3` are one here."""
    return (name.lstrip("_") + ".").startswith(module.lstrip("_") + ".")
