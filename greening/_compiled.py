"""The accelerator: compiled doubles of the engine's busiest functions, if it was built. `GREENING_PURE=1`: do without.

The Python source is the reference and complete (PEP 399). Who has a double asks `accelerator` for it where the class or
function is defined; None means that there is none.
"""

import os
from importlib import import_module
from typing import Any

# Typed as Any: what is asked of it stands beside the Python code that it doubles.
accelerator: Any = None
why_not = "GREENING_PURE is set"

if os.environ.get("GREENING_PURE", "0") in ("", "0"):
    try:
        # By name: it is a file beside this one, when it is there at all.
        accelerator, why_not = import_module("greening._accelerator"), ""
    except ImportError as error:
        why_not = f"it was not built, or does not fit: {error}"
