"""`_multiprocessing`: semaphores between processes that are waited for cooperatively.

What blocks here: sem_wait(3) in `SemLock.acquire`. Locks, semaphores, conditions, events, barriers and queues of
`multiprocessing` are made of it.
What we replace: `SemLock`.
What stays: `multiprocessing` itself, which for everything else uses `os`, `selectors`, `socket` and `threading`.
"""

import _multiprocessing  # type: ignore[import-not-found]  # not in typeshed
import sys
from functools import partial
from typing import Any

from greening.patcher.references import holders
from greening.patcher.spec import Patch, Undo
from greening.threads.replace_existing import Replacer
from greening.threads.semlock import SemLock, adopt


def _block(real: Any, seconds: float | None) -> bool:
    # Here and not in the engine's rooms: a signal handler that interrupts those is put off until they have done.
    return bool(real.acquire(True, seconds))


# As it was before patching: this file is imported by the patcher, before it patches. None: the system has none.
_Real = SemLock.Real = getattr(_multiprocessing, "SemLock", None)
SemLock.block = staticmethod(_block)
if _Real is not None:
    SemLock.SEM_VALUE_MAX = _Real.SEM_VALUE_MAX


def _after(undo: Undo) -> None:
    if _Real is not None and "multiprocessing.synchronize" in sys.modules:
        replacer = Replacer(holders, adopt, (SemLock,))
        undo.add(partial(replacer.back, _may_go_back))
        replacer.run((_Real,))


def _may_go_back(green: SemLock) -> bool:
    return not green._count()  # the real one does not know which thread has it


PATCH = Patch(
    target="_multiprocessing", flag="thread", replaces={"SemLock": SemLock} if _Real is not None else {}, after=_after
)
