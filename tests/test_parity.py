"""Both builds show the same: what `help`, `inspect` and `pickle` say does not depend on the accelerator."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import greening
from greening._compiled import accelerator, why_not

ROOT = Path(__file__).resolve().parent.parent

needs_both = pytest.mark.skipif(accelerator is None, reason=f"there is one build only: {why_not}")

# What CPython tells of the constructor of a class in C. Only the engine makes green threads.
MADE_BY_SPAWN = {("greening.GreenThread", "signature"), ("greening.GreenThread.__init__", "signature")}

# Prints {name: [signature, docstring, module, qualified name, pickle]} as JSON: of the public names, and of the public
# attributes of public classes.
SHOW = """
import importlib, inspect, json, pickle, types
import greening

def plain(signature):
    # Annotations are of Python alone; and the `self` of a method in C can never be given by name.
    parameters = [one.replace(annotation=one.empty) for one in signature.parameters.values() if one.name != "self"]
    return str(signature.replace(parameters=parameters, return_annotation=signature.empty))

def shown(value):
    try:
        signature = plain(inspect.signature(value))
    except (TypeError, ValueError):
        signature = None
    try:
        pickled = pickle.dumps(value, 4).hex()
    except Exception as error:
        pickled = type(error).__name__
    module = None if isinstance(value, types.MethodDescriptorType) else getattr(value, "__module__", None)
    # Functions of C classes do not know their module; it is that of the class.
    module = module if inspect.isclass(value) or inspect.isbuiltin(value) or inspect.isfunction(value) else None
    return [signature, inspect.getdoc(value), module, getattr(value, "__qualname__", None), pickled]

seen = {}
def show(name, value):
    seen[name] = shown(value)
    if inspect.isclass(value) and value.__module__.startswith("greening"):
        for attribute in dir(value):
            if not attribute.startswith("_") or attribute in ("__enter__", "__exit__", "__init__"):
                found = inspect.getattr_static(value, attribute)
                found = getattr(found, "__func__", found)
                if callable(found) or isinstance(found, property):
                    told = shown(found)
                    told[2] = None
                    told[4] = None
                    seen[f"{name}.{attribute}"] = told

ROOMS = "greening greening.aio greening.debug greening.testing greening.tpool greening.net.socket".split()
ROOMS += "greening.net.tls greening.threads.locks greening._core.task greening._core.waiting".split()
for room in map(importlib.import_module, ROOMS):
    for name in getattr(room, "__all__", sorted(vars(room))):
        value = getattr(room, name)
        ours = hasattr(room, "__all__") or getattr(value, "__module__", "") == room.__name__
        if callable(value) and ours and not name.startswith("_") and not name.endswith("Ops"):
            show(f"{room.__name__}.{name}", value)
print(json.dumps(seen))
"""


def look(pure: bool) -> dict[str, list[str | None]]:
    environment = {**os.environ, "GREENING_PURE": str(int(pure)), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]  # what SHOW prints


@needs_both
def test_signatures_docstrings_names_and_pickles_are_the_same_in_both_builds() -> None:
    compiled, pure = look(False), look(True)
    assert compiled.keys() == pure.keys()
    assert len(compiled) > 250
    what = ("signature", "docstring", "module", "qualified name", "pickle")
    differences = [
        f"{name}: {label}\n    compiled: {theirs!r}\n    pure:     {ours!r}"
        for name in compiled
        for label, theirs, ours in zip(what, compiled[name], pure[name], strict=True)
        if theirs != ours and (name, label) not in MADE_BY_SPAWN
    ]
    if differences:
        pytest.fail("\n".join(differences), pytrace=False)


def test_a_green_thread_is_generic_in_what_it_returns() -> None:
    assert get_args(greening.GreenThread[int]) == (int,)
    with pytest.raises(TypeError):
        greening.GreenThread[int, str]  # type: ignore[misc]  # the point of the test


def test_the_docstrings_of_the_doubles_are_those_of_their_twins() -> None:
    command = [sys.executable, ROOT / "scripts" / "docs_of_doubles", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
