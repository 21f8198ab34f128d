"""The switch that ends a worker which computes without end when no supervisor is left to do so.

Facts: such a worker does not notice that its supervisor is gone, and would keep its port for ever. It runs no Python
code of ours, so only the kernel can end it. A timer on the CPU time of the process (timer_create(2)) stands still while
the machine, the container or the process is stopped: nothing is killed for having been paused.
Decision: the worker winds the timer whenever it gives a sign of life. The supervisor, if there is one, comes first.
SIGABRT has faulthandler write the stack (`last_words`).
"""

import ctypes
import os
import signal
import time

_SIGEV_SIGNAL = 0  # asm-generic/siginfo.h
_PAD = 64  # bytes of struct sigevent
_MARGIN = 1.0  # seconds after twice the time in which the supervisor would have noticed


class _Event(ctypes.Structure):
    _fields_ = [
        ("value", ctypes.c_void_p),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("pad", ctypes.c_char * (_PAD - ctypes.sizeof(ctypes.c_void_p) - 2 * ctypes.sizeof(ctypes.c_int))),
    ]


class _Spec(ctypes.Structure):
    _fields_ = [(name, ctypes.c_long) for name in ("every", "every_ns", "after", "after_ns")]


class DeadMan:
    """Ends this process with SIGABRT, unless `wind` is called now and then. It begins with the first call.

    Args:
        timeout: seconds without a sign of life after which a supervisor ends a worker.
    Raises:
        OSError: the system has no such timer left, or none at all.
    Source: timer_create(2), timer_settime(2), sigevent(7).
    """

    def __init__(self, timeout: float) -> None:
        self._seconds = 2 * timeout + _MARGIN
        self._timer = ctypes.c_void_p()
        event = _Event(number=signal.SIGABRT, notify=_SIGEV_SIGNAL)
        try:
            self._libc = ctypes.CDLL(None, use_errno=True)
            create = self._libc.timer_create
        except AttributeError:  # before glibc 2.34 it is in a library of its own
            self._libc = ctypes.CDLL("librt.so.1", use_errno=True)
            create = self._libc.timer_create
        self._call(create(time.CLOCK_PROCESS_CPUTIME_ID, ctypes.byref(event), ctypes.byref(self._timer)))

    def wind(self) -> None:
        """All is well: the time begins anew.

        Raises:
            OSError: see there.
        """
        whole, rest = divmod(self._seconds, 1)
        spec = _Spec(after=int(whole), after_ns=int(rest * 1e9))
        self._call(self._libc.timer_settime(self._timer, 0, ctypes.byref(spec), None))

    def _call(self, result: int) -> None:
        if result:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
