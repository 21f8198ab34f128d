"""Every dotted `greening.name` of the README, the docs and the docstrings opens, just by `import greening`."""

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from subprocess import CompletedProcess

ROOT = Path(__file__).resolve().parent.parent
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = [*sorted((ROOT / "greening").rglob("*.py")), *sorted((ROOT / "patches").rglob("*.py"))]

# A name that follows another one (`import_greening.x`), an address or a path is none of ours.
DOTTED = re.compile(r"(?<![\w./-])greening((?:\.[A-Za-z_]\w*)+)")

IMPORTS = re.compile(r"^\s*from (greening[\w.]*) import (\w+(?:, \w+)*)", re.MULTILINE)


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def dotted_names() -> dict[str, list[str]]:
    """Each name, and the files that have it."""
    found: dict[str, list[str]] = {}
    for path in [*TEXTS, *SOURCES]:
        texts = docstrings(path) if path.suffix == ".py" else [path.read_text(encoding="utf-8")]
        for text in texts:
            for match in DOTTED.finditer(text):
                places = found.setdefault(match.group(), [])
                places.append(path.relative_to(ROOT).as_posix())
    return found


NAMES = dotted_names()


def test_there_are_names_to_look_at() -> None:
    assert {"greening.spawn", "greening.debug.info", "greening.wsgi"} <= NAMES.keys()


# Each by `import greening` and the name, and by `import` of all of it, or of all but its last part. In a process of its
# own: to open `greening.green` and the alias changes things.
OPEN = """
import sys
from importlib import import_module
from operator import attrgetter

import greening

for name in sys.argv[1:]:
    for module in ("greening", name, name.rpartition(".")[0]):
        try:
            import_module(module)
            attrgetter(name.removeprefix("greening."))(greening)
        except (ImportError, AttributeError):
            continue
        break
    else:
        print(name)
"""

EXAMPLES = {"greening.green.x", "greening.green.y"}


def test_every_dotted_name_opens(run_program: Callable[..., CompletedProcess[str]]) -> None:
    closed = run_program(OPEN, *sorted(NAMES.keys() - EXAMPLES)).stdout.split()
    assert [f"{name} is in {', '.join(NAMES[name])}" for name in closed if not is_in_a_module(name)] == []


def is_in_a_module(name: str) -> bool:
    """True for a module of ours, and for what one defines, though it cannot be imported without what it is for."""
    path = ROOT / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file() or name == "greening.green.zmq":
        return True
    source = path.parent.with_suffix(".py")
    if not source.is_file():
        return False
    body = ast.parse(source.read_text(encoding="utf-8")).body
    return any(getattr(node, "name", None) == path.name for node in body)


def test_every_name_that_the_readme_and_the_docs_import_is_there() -> None:
    wrong = []
    for path in TEXTS:
        for match in IMPORTS.finditer(path.read_text(encoding="utf-8")):
            module = match.group(1)
            for name in re.findall(r"(\w+)(?:\s+as\s+\w+)?", match.group(2)):
                full = f"{module}.{name}"
                if not is_in_a_module(full) and not hasattr(import_module(module), name):
                    wrong.append(f"{path.name}: {match.group()}")
    assert wrong == []
