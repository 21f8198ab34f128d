"""The accelerator: compiled doubles of the engine's busiest classes and functions, if it was built.

`GREENING_PURE=1` in the environment: do without. The Python source is the reference and complete (PEP 399).

This is the one place where the choice is made. `@double` before a class or a function means: take the accelerator's of
the same name instead, if there is an accelerator. What the compiled one does not do itself - rare cases, errors - it
asks of its Python twin, the one that stands in the source. scripts/docs_of_doubles writes the docstrings and signatures
of the twins to accelerator/docs.h.
"""

import os
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")

# Typed as Any: what is asked of it stands beside the Python code that it doubles.
accelerator: Any = None
why_not = "GREENING_PURE is set"

if os.environ.get("GREENING_PURE", "0") in ("", "0"):
    try:
        # By name: it is a file beside this one, when it is there at all.
        accelerator, why_not = import_module("greening._accelerator"), ""
    except ImportError as error:
        why_not = f"it was not built, or does not fit: {error}"


def double(twin: T) -> T:
    """Decorator: the accelerator's class or function of the same name, if there is an accelerator; else `twin`."""
    if accelerator is None:
        return twin
    compiled: T = accelerator.double(twin)
    return compiled
