"""The accelerator: compiled doubles of the engine's busiest classes and functions, if it was built.

`GREENING_PURE=1` in the environment: do without. The Python source is the reference and complete (PEP 399).

This is where the choice is made, but for four that docs/internals.md names. `@double` before a class or a function
means: if there is an accelerator, take its double of the same name. The double does the frequent case, and leaves rare
cases and errors to its twin, the decorated Python code. scripts/docs_of_doubles writes the docstrings and signatures of
the twins to accelerator/docs.h.
"""

import os
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")

# What the accelerator must have: an older one may lie in a checkout.
DOUBLES = (
    "Guard HubOps Journal LocalOps LockOps LotOps RLockOps RegistrationOps SemaphoreOps TaskOps ThreadOps begin_slice "
    "dispatch fairness_tick getcurrent is_fifo make_ready mask pause_gc resume_gc resume_gc_for_good sleep spawn "
    "spawn_n"
).split()

# Typed as Any: the Python code that it doubles has the types.
accelerator: Any = None
why_not = "GREENING_PURE is set"

if os.environ.get("GREENING_PURE", "0") in ("", "0"):
    try:
        # By name: the file may not exist.
        accelerator, why_not = import_module("greening._accelerator"), ""
        if missing := [name for name in DOUBLES if not hasattr(accelerator, name)]:
            accelerator, why_not = None, f"it was built from another version of the source: it has no {missing[0]}"
    except ImportError as error:
        why_not = f"it was not built, or does not fit: {error}"


def double(twin: T) -> T:
    """Decorator: the accelerator's class or function of the same name, if there is an accelerator; else `twin`."""
    if accelerator is None:
        return twin
    compiled: T = accelerator.double(twin)
    return compiled
