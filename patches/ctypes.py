"""ctypes: `pythonapi.PyThreadState_SetAsyncExc`, by which programs raise an exception in another thread.

What is wrong here: the C function knows OS threads only, and answers that a green thread does not exist.
What we replace: that attribute of `pythonapi`. For the ident of a green thread it raises the exception there, at once
if the thread waits; everything else goes to the C function.
What stays: the rest, C functions that block among them: call them through `tpool`.
"""

import ctypes
from functools import partial
from typing import Any

from greening._core.delivery import normalize_exception
from greening._core.greenthread import throw_into
from greening.patcher.spec import Patch, Undo
from greening.threads.handle import live_thread
from greening.threads.identity import get_ident

_NAME = "PyThreadState_SetAsyncExc"


class _SetAsyncExc:
    """`ctypes.pythonapi.PyThreadState_SetAsyncExc`.

    Difference from the C function: a green thread that waits is woken by the exception.
    """

    def __init__(self, real: Any) -> None:
        self._real = real

    argtypes = property(lambda self: self._real.argtypes, lambda self, value: setattr(self._real, "argtypes", value))
    restype = property(lambda self: self._real.restype, lambda self, value: setattr(self._real, "restype", value))
    errcheck = property(lambda self: self._real.errcheck, lambda self, value: setattr(self._real, "errcheck", value))

    def __call__(self, ident: Any, error: Any) -> Any:
        """Raise `error` (a class or an instance; None: nothing) in a thread. Returns how many threads that was."""
        number = getattr(ident, "value", ident)
        thread = live_thread(number) if isinstance(number, int) else None
        if thread is None:
            return self._real(ident, error)
        what = _value_of(error)
        if what is None:  # it takes back an exception that is not raised yet; here it is already
            return 1
        exception = normalize_exception((what,))
        if number == get_ident():
            raise exception
        throw_into(thread, exception)
        return 1


def _value_of(error: Any) -> Any:
    try:
        return error.value if isinstance(error, ctypes.py_object) else error
    except ValueError:  # NULL
        return None


def _after(undo: Undo) -> None:
    api: Any = ctypes.pythonapi
    real = getattr(api, _NAME)
    setattr(api, _NAME, _SetAsyncExc(real))
    undo.add(partial(setattr, api, _NAME, real))


PATCH = Patch(target="ctypes", flag="thread", replaces={}, after=_after)
