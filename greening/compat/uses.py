"""Where a file of Python source uses eventlet: found in its syntax tree, without running it.

A name is followed through imports, `x = eventlet.y`, and attributes. An object that a call returns is not followed:
methods of a GreenPool are not found, its construction is.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

# Where eventlet keeps the stdlib as it was before patching; programs import these by name.
ORIGINAL: Final = "__original_module_"
# eventlet by its name, and these.
_IS_EVENTLET: Final = re.compile(r"eventlet(\.[A-Za-z_]\w*)*|__original_module_\w+")
# A string with a dot in it is a name of ours wherever it stands, as in `mock.patch("eventlet.sleep")`.
_DOTTED: Final = re.compile(r"eventlet(\.[A-Za-z_]\w*)+|__original_module_\w+")

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Use:
    """One use.

    Args:
        line: counted from 1.
        name: in full, as "eventlet.wsgi.server".
        kind: "import", "use", "call", "subclass", "override" or "string".
        positional, keywords: of a call: the number of the first, None if unknown (`*args`); the names of the others.
    """

    line: int
    name: str
    kind: str
    positional: int | None = None
    keywords: tuple[str, ...] = ()


@dataclass
class _Scope:
    """The names of a module, a class or a function. A name of somebody else's is bound to None."""

    parent: "_Scope | None" = None
    names: dict[str, str | None] = field(default_factory=dict)

    def find(self, name: str) -> str | None:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return None


def uses_of(source: str | bytes, path: str) -> list[Use]:
    """Every use, in the order of lines.

    Raises:
        SyntaxError, ValueError: it is not Python as this interpreter knows it.
    """
    finder = _Finder()
    finder.in_scope(ast.parse(source, path), _Scope())
    return sorted(set(finder.found), key=lambda use: (use.line, use.name, use.kind))


def _inner(node: ast.AST) -> Iterator[ast.AST]:
    """What a scope consists of. Not what is in the functions and classes in it."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _Function | ast.ClassDef):
            yield from _inner(child)


class _Finder:
    def __init__(self) -> None:
        self.found: list[Use] = []

    # Names

    def in_scope(self, node: ast.AST, scope: _Scope) -> None:
        """Bind the names of a module, class or function, then look at what it says."""
        if isinstance(node, _Function):
            arguments = node.args
            for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                scope.names[argument.arg] = None
            for more in (arguments.vararg, arguments.kwarg):
                if more is not None:
                    scope.names[more.arg] = None
        inside = list(_inner(node))
        for each in inside:
            self._bind(each, scope)
        for each in inside:  # again: `patcher = eventlet.patcher` may stand above the import, in a function
            self._bind_assignment(each, scope)
        for each in ast.iter_child_nodes(node):
            self._look(each, scope)

    def _bind(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                scope.names[alias.asname or top] = top if _IS_EVENTLET.fullmatch(top) else None
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            ours = node.level == 0 and _IS_EVENTLET.fullmatch(module)
            for alias in node.names:
                scope.names[alias.asname or alias.name] = f"{module}.{alias.name}" if ours else None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            scope.names.setdefault(node.id, None)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope.names.setdefault(node.name, None)

    def _bind_assignment(self, node: ast.AST, scope: _Scope) -> None:
        """`x = eventlet.y` and `eventlet = try_import("eventlet")`."""
        if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
            return
        name = self._name_of(node.value, scope) or _imported_by_call(node.value)
        if name is not None and name != node.targets[0].id:
            scope.names[node.targets[0].id] = name
        elif name is not None:
            scope.names[name] = name

    def _name_of(self, node: ast.AST, scope: _Scope) -> str | None:
        """The full name of an expression of names and dots, if it is of eventlet."""
        if isinstance(node, ast.Name):
            return scope.find(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._name_of(node.value, scope)
            return None if owner is None else f"{owner}.{node.attr}"
        return None

    # Uses

    def _look(self, node: ast.AST, scope: _Scope) -> None:
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._look_at_import(node)
        elif isinstance(node, ast.ClassDef):
            self._look_at_class(node, scope)
        elif isinstance(node, _Function):
            self._look_at_function(node, scope)
        elif isinstance(node, ast.Call):
            self._look_at_call(node, scope)
        elif isinstance(node, ast.Attribute | ast.Name) and (name := self._name_of(node, scope)) is not None:
            self._add(node, name, "use")
        elif isinstance(node, ast.Constant):
            self._look_at_constant(node, _DOTTED)
        else:
            self._look_into(node, scope)

    def _look_into(self, node: ast.AST, scope: _Scope) -> None:
        for child in ast.iter_child_nodes(node):
            self._look(child, scope)

    def _add(self, node: ast.AST, name: str, kind: str) -> None:
        self.found.append(Use(getattr(node, "lineno", 0), name, kind))

    def _look_at_import(self, node: ast.Import | ast.ImportFrom) -> None:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif node.level == 0:
            names = [f"{node.module}.{alias.name}".removesuffix(".*") for alias in node.names]
        else:
            names = []
        for name in names:
            if _IS_EVENTLET.fullmatch(name):
                self._add(node, name, "import")

    def _look_at_class(self, node: ast.ClassDef, scope: _Scope) -> None:
        bases = [name for base in node.bases if (name := self._name_of(base, scope)) is not None]
        for name in bases:
            self._add(node, name, "subclass")
            for statement in node.body:
                if isinstance(statement, ast.FunctionDef):
                    self._add(statement, f"{name}.{statement.name}", "override")
        for each in (*node.decorator_list, *node.bases, *node.keywords):
            if self._name_of(each, scope) not in bases or not bases:
                self._look(each, scope)
        # A method does not see the names of its class: they are in no scope of its own.
        body = ast.Module(node.body, [])
        for each in _inner(body):
            if isinstance(each, ast.Import | ast.ImportFrom):
                self._bind(each, scope)
        self._look_into(body, scope)

    def _look_at_function(self, node: _Function, scope: _Scope) -> None:
        for child in ast.iter_child_nodes(node.args):
            self._look(child, scope)  # defaults and annotations belong to the scope outside
        inside = _Scope(scope)
        if isinstance(node, ast.Lambda):
            self.in_scope(node, inside)
            return
        for decorator in node.decorator_list:
            self._look(decorator, scope)
        if node.returns is not None:
            self._look(node.returns, scope)
        body = type(node)(**{**vars(node), "decorator_list": [], "returns": None})
        self.in_scope(body, inside)

    def _look_at_call(self, node: ast.Call, scope: _Scope) -> None:
        name = self._name_of(node.func, scope)
        if name is None:
            self._look(node.func, scope)
        else:
            starred = any(isinstance(argument, ast.Starred) for argument in node.args)
            keywords = tuple(keyword.arg for keyword in node.keywords if keyword.arg is not None)
            unknown = starred or len(keywords) < len(node.keywords)
            self.found.append(Use(node.lineno, name, "call", None if unknown else len(node.args), keywords))
        for argument in (*node.args, *(keyword.value for keyword in node.keywords)):
            if isinstance(argument, ast.Constant):
                self._look_at_constant(argument, _IS_EVENTLET)
            else:
                self._look(argument, scope)

    def _look_at_constant(self, node: ast.Constant, pattern: re.Pattern[str]) -> None:
        if isinstance(node.value, str) and pattern.fullmatch(node.value):
            self._add(node, node.value, "string")


def _imported_by_call(node: ast.AST) -> str | None:
    """What `import_module("eventlet")` and its like return."""
    if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
        return None
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    value = node.args[0].value
    if "import" not in function or not isinstance(value, str) or not _IS_EVENTLET.fullmatch(value):
        return None
    return value.partition(".")[0] if function == "__import__" else value
