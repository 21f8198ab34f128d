"""The plan of the house, checked: floors, no cycles, names from the file that defines them, sizes, and complete lists.

A module is looked at as text (`ast`), under the name it has when installed: patches/ssl.py is greening.patches.ssl.
"""

import ast
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("greening", "patches", "scripts", "tests")

# A room is a package or a single file; its floor is the only thing that has to be declared. The order inside a room is
# any order without cycles.
FLOORS = (
    {
        "greening._builtin_method",
        "greening._compiled",
        "greening._entrance",
        "greening._originals",
        "greening.errors",
        "greening.startup",
    },
    {"greening._core"},
    {"greening.sync", "greening.timeout"},
    {"greening.pool", "greening.threads", "greening.patcher"},
    {"greening.fdio", "greening.interop", "greening.readiness"},
    {"greening.net"},
    {"greening.patches"},
    {"greening.integrations"},
    {"greening.monkey", "greening.debug", "greening.testing", "greening.aio", "greening.tpool"},
    {"greening.green", "greening.backdoor", "greening.websocket", "greening.wsgi"},
    {"greening.ext"},
    {"greening.compat"},
    {"greening", "greening.__main__", "greening._cli", "greening._options", "greening._prompt"},
)
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
DOORS = len(FLOORS) - 1  # the top floor is one room: __main__ calls _cli

# Files whose task is to import at a certain moment.
MAY_IMPORT_IN_FUNCTIONS = {"greening/monkey.py", "greening/patcher/deferred.py"}

MAX_FILE_LINES = 400
MAX_TEST_FILE_LINES = 850  # a file of tests is read by test, not from top to bottom
MAX_FUNCTION_LINES = 60
LONG_FUNCTIONS: dict[str, str] = {}  # "greening/x.py:function": why it is better in one piece


@dataclass(frozen=True)
class Import:
    """One imported module, or one name imported from it."""

    importer: str
    line: int
    module: str
    name: str | None  # None: `import module`
    typing_only: bool
    in_function: bool

    def __str__(self) -> str:
        what = f"import {self.module}" if self.name is None else f"from {self.module} import {self.name}"
        return f"{self.importer}, line {self.line}: {what}"


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "patches":
        parts = ("greening", *parts)
    return ".".join(parts).removesuffix(".__init__")


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports_of(path: Path) -> Iterator[Import]:
    def walk(node: ast.AST, typing_only: bool, in_function: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            place = (importer, getattr(child, "lineno", 0))
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(*place, alias.name, None, typing_only, in_function)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{importer}, line {child.lineno}: a relative import"
                for alias in child.names:
                    yield Import(*place, child.module or "", alias.name, typing_only, in_function)
            elif isinstance(child, ast.If) and ast.unparse(child.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                yield from walk(ast.Module(child.body, []), True, in_function)
                yield from walk(ast.Module(child.orelse, []), typing_only, in_function)
            else:
                function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, typing_only, in_function or function)

    importer = module_name(path)
    return walk(tree_of(path), False, False)


FILES = {module_name(path): path for path in python_files("greening", "patches")}
IMPORTS = [found for path in FILES.values() for found in imports_of(path)]


def target_of(found: Import) -> str | None:
    """The module of ours that is imported, None for another project's."""
    if found.module.partition(".")[0] != "greening":
        return None
    submodule = f"{found.module}.{found.name}"
    return submodule if submodule in FILES else found.module


@cache
def names_from_ours(module: str) -> frozenset[str]:
    """Names that this module has only because it imports them from another module of ours."""
    defined = {
        node.name
        for node in tree_of(FILES[module]).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    return frozenset(
        found.name
        for found in imports_of(FILES[module])
        if found.name and found.name not in defined and found.module.partition(".")[0] == "greening"
    )


@cache
def names_bound(module: str) -> frozenset[str]:
    """Names that this module binds at its top level, in whatever way."""
    names: set[str] = set()
    todo: list[ast.AST] = [tree_of(FILES[module])]
    while todo:
        for node in ast.iter_child_nodes(todo.pop()):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.stmt | ast.expr | ast.excepthandler | ast.withitem):
                todo.append(node)
    return frozenset(names)


def breach(found: Import) -> str | None:
    """What this import does against the floors."""
    target = target_of(found)
    if target is None:
        return None
    if target not in FILES:
        return f"{found}: there is no {target}"
    here, there = (FLOOR_OF[room_of(module)] for module in (found.importer, target))
    if there < here or room_of(found.importer) == room_of(target) or here == there == DOORS:
        return None
    if there == here:
        return None if found.typing_only else f"{found}: another room of the same floor"
    return f"{found}: from floor {here} up to floor {there}"


def expect_none(offences: Iterable[object]) -> None:
    listed = "".join(f"\n  {offence}" for offence in offences)
    if listed:
        pytest.fail(listed, pytrace=False)


def test_every_room_has_a_floor() -> None:
    homeless = {room_of(module) for module in FILES} - FLOOR_OF.keys()
    assert not homeless, "put the new room on a floor in FLOORS"


def test_imports_only_go_down() -> None:
    expect_none(filter(None, map(breach, IMPORTS)))


def test_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for found in IMPORTS:
        target = target_of(found)
        if target is not None and not found.typing_only and target != found.importer:
            graph.setdefault(found.importer, set()).add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " <- ".join(error.args[1]))


def test_names_come_from_the_file_that_defines_them() -> None:
    wrong = []
    for found in IMPORTS:
        target = target_of(found)
        if target is None or target not in FILES or found.name is None or target != found.module:
            continue  # not ours; or a whole module
        if found.name in names_from_ours(target):
            wrong.append(f"{found}: {target} has it from elsewhere")
        elif found.name not in names_bound(target):
            wrong.append(f"{found}: {target} does not define it")
    expect_none(wrong)


def test_no_imports_inside_functions() -> None:
    inside = (found for found in IMPORTS if found.in_function)
    expect_none(found for found in inside if relative(FILES[found.importer]) not in MAY_IMPORT_IN_FUNCTIONS)


def test_one_file_registers_with_fork() -> None:
    """The order of what happens at a fork is written down, and not the order of import."""
    owner = "greening/_core/fork.py"
    users = [relative(path) for path in FILES.values() if "register_at_fork" in path.read_text(encoding="utf-8")]
    assert users == [owner], f"use `before_fork`, `on_parent` and `on_child` of {owner}"


def test_no_file_imports_the_folder_patches() -> None:
    """`patches` would be a second copy of greening.patches, with a state of its own."""
    everywhere = (found for path in python_files(*FOLDERS) for found in imports_of(path))
    expect_none(found for found in everywhere if found.module.partition(".")[0] == "patches")


def limit_of(path: Path) -> int:
    return MAX_TEST_FILE_LINES if relative(path).startswith("tests/") else MAX_FILE_LINES


def test_files_are_short() -> None:
    lengths = ((path, len(path.read_text(encoding="utf-8").splitlines())) for path in python_files(*FOLDERS))
    expect_none(f"{relative(path)}: {lines} lines" for path, lines in lengths if lines > limit_of(path))


def test_functions_are_short() -> None:
    long = {}
    for path in FILES.values():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{relative(path)}:{node.name}"] = lines
    expect_none(f"{name}: {lines} lines" for name, lines in long.items() if name not in LONG_FUNCTIONS)
    expect_none(f"{name} is not long any more" for name in LONG_FUNCTIONS.keys() - long.keys())


def test_the_project_file_lists_every_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent for path in python_files("greening", "patches")}
    packages = {module_name(folder / "__init__.py") for folder in folders}
    assert sorted(settings["packages"]) == sorted(packages)
    assert settings["package-dir"] == {"greening": "greening", "greening.patches": "patches"}
    assert [relative(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []
    assert (ROOT / "greening" / "py.typed").is_file()


def test_every_patch_is_in_the_catalogue_and_has_tests() -> None:
    from greening.patches import CATALOGUE

    patches = {path.stem for path in (ROOT / "patches").glob("*.py")} - {"__init__"}
    catalogue = [entry.module.removeprefix("greening.patches.") for entry in CATALOGUE]
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "patches").glob("test_*.py")}
    assert sorted(catalogue) == sorted(patches)
    assert tests == patches
    assert [(e.target, e.module) for e in CATALOGUE if not e.module.endswith(e.target.replace(".", "_"))] == []


# -- Which files may change shared state -------------------------------------------------------------------------------

# Writing PARKED says "I wait from here on", and everything between that and the switch is a critical step. Each place
# needs a reason to be one.
MAY_WRITE_PARKED = {
    "greening/_core/parking_lot.py:_enter_oddly": "the wait queue, for what is no plain task",
    "greening/_core/parking_lot.py:enter": "the wait queue",
    "greening/_core/registration.py:enter_unless_news": "waits for a descriptor",
    "greening/_core/registry.py:_wait_joined": "waits for one of many descriptors",
    "greening/_core/delivery.py:execute": "waits until its target can be reached",
    "greening/_core/waiting.py:sleep": "waits for time alone",
}

# State of the process, or of an OS thread. It needs an owner, an answer to fork, and a reason.
MAY_HAVE_STATE = {
    "greening/_core/blocking.py": "the tasks of OS threads without a hub, for the child of a fork",
    "greening/_core/current.py": "the hubs of the process",
    "greening/_core/fork.py": "the hooks of fork",
    "greening/_core/hub.py": "what an OS thread that has ended left behind",
    "greening/_core/deadlock.py": "native threads that wait for work",
    "greening/_core/thread_ops.py": "what makes the contexts of green threads",
    "greening/_core/registry.py": "what is told of interrupted waits",
    "greening/_core/shield.py": "who is in a block of it",
    "greening/_core/names.py": "the next numbers for names",
    "greening/_core/critical.py": "the functions that say so",
    "greening/_core/zeros.py": "memory that libc may look at for ever",
    "greening/debug/tracer.py": "the recording that is under way",
    "greening/aio.py": "loops, by OS thread and by what is known about them",
    "greening/_core/suspend.py": "where tasks wait that are resumed by name",
    "greening/backdoor/prompt.py": "the number of the next prompt",
    "greening/backdoor/streams.py": "sys.stdout is one for all prompts",
    "greening/compat/eventlet/hubs/__init__.py": "the hub of an OS thread",
    "greening/compat/eventlet/patcher.py": "what was patched, as eventlet shows it",
    "greening/ext/grpc.py": "which OS threads are those of gRPC",
    "greening/debug/periodic.py": "the OS threads of instruments",
    "greening/debug/profiler.py": "the profile that is being taken",
    "greening/debug/watchdog.py": "the watchdogs that run",
    "greening/fdio/buffers.py": "the code of the methods that take turns",
    "greening/fdio/child_wait.py": "the children of the process, and what waits for them",
    "greening/fdio/filelock.py": "locks on files are the process's",
    "greening/interop/guest.py": "loops that wait in C",
    "greening/interop/importlock.py": "the import lock is the process's",
    "greening/fdio/inputhook.py": "the interpreter has one input hook",
    "greening/fdio/lineinput.py": "there is one terminal, and one line editor",
    "greening/fdio/pipe.py": "buffers to be used again",
    "greening/net/exchange.py": "sockets that are aborted when interrupted, or were",
    "greening/net/retry.py": "timeouts by descriptor",
    "greening/net/socket.py": "socket.setdefaulttimeout",
    "greening/net/stream.py": "a table that is filled while it is imported",
    "greening/patcher/deferred.py": "the import hooks",
    "greening/patcher/isolation.py": "the private copies of modules",
    "greening/patcher/sys_modules.py": "what stands in sys.modules meanwhile",
    "greening/pool/job.py": "which green threads wait for one another by way of pools",
    "greening/sync/local.py": "the token of an OS thread",
    "greening/threads/handle.py": "the threads that have not ended",
    "greening/threads/adopt_local.py": "the attributes that adopted locals had",
    "greening/threads/native.py": "the pools, and whether an OS thread is of one",
    "greening/threads/semlock.py": "semaphores that a fork or the end has to look after",
    "greening/threads/sigmask.py": "signal masks by green thread and by OS thread",
    "greening/threads/sigwait.py": "signals that are waited for",
    "greening/threads/tracing.py": "the trace function of an OS thread",
    "greening/websocket/keeper.py": "the keeper of an OS thread",
    "greening/wsgi/headers.py": "a cache",
    "greening/wsgi/request_head.py": "a cache",
    "patches/asyncio.py": "the runs of loops",
    "patches/select.py": "a table that is filled while it is imported",
    "patches/threading.py": "the dummies that old versions of threading keep",
}

# An import by name inside a function escapes every check above.
MAY_IMPORT_BY_NAME = {
    "greening/fdio/inputhook.py": "ctypes, which only a prompt needs",
    "greening/fdio/lineinput.py": "readline and ctypes, which only a terminal needs",
    "greening/__init__.py": "names that are fetched when they are asked for",
    "greening/_core/deadlock.py": "what explains a deadlock, when there is one",
    "greening/_options.py": "what only a command or a report needs",
    "greening/debug/inspector.py": "what a question needs",
    "greening/debug/top.py": "rich, which is an extra",
    "greening/debug/__init__.py": "names that are fetched when they are asked for",
    "greening/debug/environment.py": "instruments that the environment asks for",
    "greening/_cli.py": "what only a report or a prompt needs",
    "greening/_prompt.py": "the interpreter's own prompt, where there is one, and asyncio when a command awaits",
    "greening/backdoor/client.py": "line editing, for the program only",
    "greening/compat/alias.py": "what a foreign name means",
    "greening/compat/eventlet/__init__.py": "names that are fetched when they are asked for",
    "greening/compat/eventlet/green/__init__.py": "green imports",
    "greening/compat/eventlet/hubs/__init__.py": "hubs that are asked for by name",
    "greening/compat/eventlet/support/greendns.py": "dnspython, where it is asked for",
    "greening/compat/eventlet/support/psycopg2_patcher.py": "psycopg2, when it is to be patched",
    "greening/startup/sitecustomize.py": "greening, when a program needs it",
    "greening/compat/verdicts.py": "modules of the alias that a code base names",
    "greening/ext/flask_socketio.py": "the server, which only `run` needs",
    "greening/green/__init__.py": "green imports",
    "greening/patcher/apply.py": "targets, and the files of their patches",
    "greening/patcher/deferred.py": "waits for an import that is under way",
    "greening/patcher/plugins.py": "entry points of other packages",
    "greening/patcher/sys_modules.py": "imports for real, past the stand-ins",
    "greening/sync/queue.py": "`queue` imports `threading`, which must not be loaded before it is patched",
    "greening/tpool.py": "wrapt, which loads 170 modules",
    "greening/wsgi/command/application.py": "the application that the command line names",
}

MUTABLES = frozenset(
    "bytearray count Counter cycle defaultdict deque dict list OrderedDict set WeakKeyDictionary WeakSet "
    "WeakValueDictionary local real_local".split()
)


@cache
def functions_of(path: Path) -> list[tuple[str, ast.AST]]:
    """Every node of a file, with the name of the innermost function around it ("" at module level)."""

    def walk(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
        for child in ast.iter_child_nodes(node):
            yield function, child
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(child, child.name if inside else function)  # type: ignore[attr-defined]

    return list(walk(tree_of(path), ""))


def name_of(node: ast.AST) -> str:
    """The last part of a name: "c" for `a.b.c`."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def written_parked(path: Path) -> Iterator[str]:
    for function, node in functions_of(path):
        if isinstance(node, ast.Assign) and name_of(node.value) == "PARKED" and "state" in map(name_of, node.targets):
            yield f"{relative(path)}:{function}"


def is_mutable(value: ast.expr | None) -> bool:
    """True for what begins empty and is filled later, and for iterators. What is written out in full is a table."""
    if isinstance(value, ast.Attribute) and value.attr == "__next__":
        value = value.value
    if isinstance(value, ast.List | ast.Set):
        return not value.elts
    if isinstance(value, ast.Dict):
        return not value.keys
    if not isinstance(value, ast.Call):
        return False
    called = value.func.value if isinstance(value.func, ast.Subscript) else value.func
    return name_of(called) in MUTABLES and (not value.args or name_of(called) in ("count", "cycle"))


def state_of(path: Path) -> Iterator[str]:
    """Names of a module's mutable globals, and names that its functions bind anew."""
    todo: list[ast.AST] = [tree_of(path)]
    while todo:
        for node in ast.iter_child_nodes(todo.pop()):
            if isinstance(node, ast.If | ast.Try | ast.With):
                todo.append(node)
            elif isinstance(node, ast.Assign | ast.AnnAssign) and is_mutable(node.value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (target.id for target in targets if isinstance(target, ast.Name))
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Global):
            yield from node.names


def imports_by_name(path: Path) -> Iterator[ast.AST]:
    for function, node in functions_of(path):
        if function and isinstance(node, ast.Call) and name_of(node.func).strip("_") in ("import_module", "import"):
            yield node


def expect_listed(found: Iterable[str], listed: Iterable[str], remedy: str) -> None:
    found, listed = set(found), set(listed)
    expect_none(f"{one}: {remedy}" for one in sorted(found - listed))
    expect_none(f"{one} is listed, and need not be any more" for one in sorted(listed - found))


def test_only_named_places_say_that_a_task_waits() -> None:
    found = (place for path in FILES.values() for place in written_parked(path))
    expect_listed(found, MAY_WRITE_PARKED, "wait in the wait queue of _core instead of writing PARKED")


def test_only_named_files_have_state() -> None:
    found = (relative(path) for path in FILES.values() if any(state_of(path)))
    expect_listed(found, MAY_HAVE_STATE, "keep it in an object that has an owner")


def test_only_named_files_import_by_name_in_functions() -> None:
    found = (relative(path) for path in FILES.values() if any(imports_by_name(path)))
    expect_listed(found, MAY_IMPORT_BY_NAME, "import at the top of the file")


# -- What belongs to one room ------------------------------------------------------------------------------------------

# Hooks that a class leaves to its subclasses in other rooms. They alone may use them, by `self` or `super()`.
FOR_SUBCLASSES = {
    "_fail": "what a green thread does with its failure",
    "_func": "the function of a green thread, for a report",
    "_settle": "what a green thread does at its end",
}

# Names with an underscore that the stdlib, or another library, has given to what our classes stand for.
GIVEN_BY_OTHERS = frozenset(
    "_acquire_restore _after_fork _at_fork_reinit _count _current_frames _get_running_loop _get_value _ident _is_mine "
    "_is_owned _is_zero _lock _real_close _recursion_count _release_save _replace _requests _selector "
    "_sendfile_use_sendfile _set_done _started".split()
)


# Where a private name of another room is used for speed.
MAY_USE = {
    ("greening/sync/local.py", "_greening_task"): "38 % of the row `local` in pure Python",
    ("greening/debug/inspector.py", "_accept"): "CPython's: of `_socket.socket`",
    ("greening/ext/native_start.py", "_ThreadHandle"): "CPython's: threads/handle.py gives its own the same name",
    ("greening/ext/native_start.py", "_bootstrap"): "CPython's: of `threading.Thread`",
    ("greening/threads/identity.py", "_greening_task"): "16 % of the row `asyncio-echo` in pure Python",
}


def private_names_of(path: Path) -> set[str]:
    """Names with one leading underscore that a file gives to its functions, classes, attributes and variables."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and name_of(node.value) == "self":
            found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            found.add(node.value)  # of `__slots__`
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


def private_uses(path: Path) -> Iterator[tuple[int, str, bool]]:
    """(line, name, whether a subclass may say so) of what a file takes from objects and modules by a private name."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = ast.unparse(node.value)
            yield node.lineno, node.attr, owner in ("self", "super()", "cls")
    for found in imports_of(path):
        if (found.name or "").startswith("_") and target_of(found) is not None and found.module not in ("greening",):
            yield found.line, found.name or "", False


def test_private_names_stay_in_their_room() -> None:
    rooms: dict[str, set[str]] = {}
    for module, path in FILES.items():
        rooms.setdefault(room_of(module), set()).update(private_names_of(path))
    wrong = []
    for module, path in FILES.items():
        mine = rooms[room_of(module)] | GIVEN_BY_OTHERS
        others = {name for room, names in rooms.items() if room != room_of(module) for name in names}
        for line, name, inherited in private_uses(path):
            allowed = (inherited and name in FOR_SUBCLASSES) or (relative(path), name) in MAY_USE
            if name in others - mine and not allowed:
                wrong.append(f"{relative(path)}, line {line}: {name} belongs to another room")
    expect_none(wrong)


# One file for each module of eventlet's, most of them only names, which tests/compat/eventlet/test_names.py looks at.
ALIAS = "greening/compat/eventlet/"

# Lines: files of fewer are folded into another one, unless there is a reason.
MIN_FILE_LINES = 50
MAY_BE_SMALL = {
    "greening/_builtin_method.py": "threads/ and patches/ need it, and no file below both is about it",
    "greening/_compiled.py": "the choice between the builds has a place of its own",
    "greening/_core/asyncio_state.py": "the owner of one process-wide thing",
    "greening/_core/slices.py": "task.py, switching.py and fairness.py read it; it has to come before them",
    "greening/_core/zeros.py": "loaded by the pure build alone: it brings mmap and _ctypes",
    "greening/ext/cassandra.py": "one integration, one file",
    "greening/ext/ipython.py": "an integration has a file of its own",
    "greening/patcher/threading_copy.py": "one module's peculiarities, apart from what is true of all",
    "greening/testing/clock.py": "one shipped fake, one file",
    "greening/tpool.py": "a public module of eventlet's",
    "greening/websocket/_wsproto.py": "the door of an optional dependency",
    "greening/websocket/exceptions.py": "the exceptions of a public package",
    "greening/wsgi/errors.py": "the exceptions of a public package",
    "greening/wsgi/limits.py": "a public class, which server, protocol and reader need",
}


def test_files_are_not_crumbs() -> None:
    small = {
        relative(path)
        for path in FILES.values()
        if path.name not in ("__init__.py", "__main__.py")
        and path.parent.name != "patches"  # one file for each module
        and not relative(path).startswith(ALIAS)
        and len(path.read_text(encoding="utf-8").splitlines()) < MIN_FILE_LINES
    }
    expect_listed(small, MAY_BE_SMALL, "fold it into the file that it belongs to")


def test_every_file_has_its_test_file() -> None:
    """greening/net/dns.py has tests/net/test_dns.py; a leading underscore does not count."""
    missing = []
    for path in python_files("greening"):
        if path.stem not in ("__init__", "__main__"):
            room = path.parent.relative_to(ROOT / "greening").as_posix().lstrip("_")
            test = ROOT / "tests" / room / f"test_{path.stem.lstrip('_')}.py"
            small = len(path.read_text(encoding="utf-8").splitlines()) < MIN_FILE_LINES
            if not test.is_file() and not (small and relative(path).startswith(ALIAS)):
                missing.append(f"{relative(path)}: there is no {relative(test)}")
    expect_none(missing)
