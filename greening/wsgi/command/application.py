"""The application that a command line names: `module:app`, `package.module:factory()`, or `module` alone."""

import ast
import importlib
import inspect
import os
import sys
import traceback
from types import TracebackType
from typing import Any

DEFAULT_NAMES = ("application", "app")

_MACHINERY = (os.path.join(os.path.dirname(__file__), ""), "<frozen importlib", os.path.dirname(importlib.__file__))


class Unloadable(Exception):
    """There is no such application.

    Args:
        problem: for the user, in one line. trace: the traceback of the application's own mistake, if it is one.
        files: where it is, as far as is known: to be watched for a change.
    """

    def __init__(self, problem: str, trace: str = "", files: tuple[str, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.trace = trace
        self.files = files

    def __str__(self) -> str:
        return f"{self.problem}\n{self.trace}".rstrip()


def split(spec: str) -> tuple[str, str]:
    """The module, and the expression in it ("" when only the module is named).

    Raises:
        Unloadable: it is not of the form `module:name`, `module:name.name`, `module:factory()` or `module`; a factory's
            arguments are literals.
    """
    module, colon, expression = spec.partition(":")
    if not all(part.isidentifier() for part in module.split(".")) or (colon and not expression.strip()):
        raise Unloadable(f"{spec!r} is not of the form module:app, e.g. mysite.wsgi:application")
    if expression:
        _names_and_call(spec, expression)
    return module, expression


def load(spec: str) -> Any:
    """Import the module and return the application. The current folder is looked in first.

    Raises:
        Unloadable: the module or the name is missing, the application fails while it is loaded, or is none.
    """
    app = resolve(spec)
    if _is_asynchronous(app):
        raise Unloadable(
            f"{spec!r} is an application for ASGI, and this server speaks WSGI. "
            f"On green threads, too, it is served by: python -m greening -m uvicorn {spec}",
            files=_file_of(spec),
        )
    return app


def resolve(spec: str) -> Any:
    """Import the module and return what is named, which can be called. The current folder is looked in first.

    Raises:
        Unloadable: the module or the name is missing, or fails while it is loaded.
    """
    module_name, expression = split(spec)
    here = os.getcwd()
    if not {"", here} & set(sys.path):
        sys.path.insert(0, here)
    module = _import(module_name, here)
    if expression:
        found = _evaluate(spec, module, expression)
    else:
        found = next((found for name in DEFAULT_NAMES if (found := getattr(module, name, None)) is not None), None)
        if found is None:
            names = " nor ".join(repr(name) for name in DEFAULT_NAMES)
            raise Unloadable(
                f"module {module_name!r} has neither {names}: name it, as in {module_name}:NAME", files=_file_of(spec)
            )
    if not callable(found):
        raise Unloadable(f"{spec!r} cannot be called: it is of type {type(found).__name__!r}", files=_file_of(spec))
    return found


def _file_of(spec: str) -> tuple[str, ...]:
    module = sys.modules.get(spec.partition(":")[0])
    return (getattr(module, "__file__", None) or "",)


def _is_asynchronous(app: Any) -> bool:
    """It takes (scope, receive, send), as ASGI has it, or is a coroutine function."""
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(getattr(app, "__call__", None)):  # noqa: B004
        return True
    try:
        names = list(inspect.signature(app).parameters)
    except (TypeError, ValueError):  # a callable of C
        return False
    return names[:3] == ["scope", "receive", "send"]


def _import(name: str, here: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(error.name + ".")):
            raise Unloadable(f"no module named {error.name!r}, neither in {here} nor elsewhere on sys.path") from None
        raise mistake(f"cannot import {name!r}", error) from None
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is the application's
        raise mistake(f"cannot import {name!r}", error) from None


def _evaluate(spec: str, module: Any, expression: str) -> Any:
    names, call = _names_and_call(spec, expression)
    found = module
    for name in names:
        try:
            found = getattr(found, name)
        except AttributeError:
            where = f"module {module.__name__!r}" if found is module else f"{type(found).__name__!r} object"
            raise Unloadable(f"{spec!r}: {where} has no attribute {name!r}", files=_file_of(spec)) from None
    if call is None:
        return found
    arguments, keywords = call
    try:
        return found(*arguments, **keywords)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever it is, it is the application's
        raise mistake(f"calling {'.'.join(names)} of {module.__name__!r} failed", error) from None


def _names_and_call(spec: str, expression: str) -> tuple[list[str], tuple[list[Any], dict[str, Any]] | None]:
    """`a.b(1, x=2)` as ["a", "b"] and its arguments; None for those when nothing is called."""
    try:
        node: ast.expr = ast.parse(expression.strip(), mode="eval").body
        call = None
        if isinstance(node, ast.Call):
            keywords = {str(word.arg): ast.literal_eval(word.value) for word in node.keywords if word.arg}
            call = ([ast.literal_eval(value) for value in node.args], keywords)
            node = node.func
        names = ast.unparse(node).split(".")
        if not all(name.isidentifier() for name in names):
            raise ValueError(names)
    except (SyntaxError, ValueError):
        raise Unloadable(
            f"{spec!r}: {expression!r} is neither a name nor a call of one with literals as arguments"
        ) from None
    return names, call


def mistake(problem: str, error: BaseException) -> Unloadable:
    """What is wrong in the user's own code, with its own frames only."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    return Unloadable(f"{problem}:", text, _files(error, trace))


def _files(error: BaseException, trace: TracebackType | None) -> tuple[str, ...]:
    files = {frame.f_code.co_filename for frame, _ in traceback.walk_tb(trace)}
    if isinstance(error, SyntaxError) and error.filename:
        files.add(error.filename)
    return tuple(files)
