"""What is patched, in order: one line per module of the stdlib, each with a file of its own beside this one.

The flags are eventlet's. A module that is not imported yet is patched when it is.
"""

from greening.patcher.spec import Entry

CATALOGUE: tuple[Entry, ...] = (
    # `time` and `os` first: they are always loaded, and the others' fallbacks may use them.
    Entry("time", "time", "greening.patches.time"),
    Entry("os", "os", "greening.patches.os"),
    Entry("io", "os", "greening.patches.io"),
    Entry("fcntl", "os", "greening.patches.fcntl"),
    # Locks before everything that makes one when it is imported: `threading` before `queue`, `signal` and the rest.
    Entry("_thread", "thread", "greening.patches._thread"),
    Entry("threading", "thread", "greening.patches.threading"),
    Entry("queue", "thread", "greening.patches.queue"),
    Entry("signal", "thread", "greening.patches.signal"),
    Entry("_multiprocessing", "thread", "greening.patches._multiprocessing"),
    Entry("_interpreters", "thread", "greening.patches._interpreters"),
    Entry("ctypes", "thread", "greening.patches.ctypes"),
    # `selectors` captures names of `select`, `ssl` classes of `socket`, `subprocess` names of `selectors` and
    # `threading`.
    Entry("select", "select", "greening.patches.select"),
    Entry("selectors", "select", "greening.patches.selectors"),
    Entry("socket", "socket", "greening.patches.socket"),
    Entry("ssl", "socket", "greening.patches.ssl"),
    Entry("subprocess", "subprocess", "greening.patches.subprocess"),
    Entry("multiprocessing.popen_spawn_posix", "os", "greening.patches.multiprocessing_popen_spawn_posix"),
    Entry("multiprocessing.popen_forkserver", "os", "greening.patches.multiprocessing_popen_forkserver"),
    # After everything that it is made of.
    Entry("asyncio", "select", "greening.patches.asyncio"),
    # Not of the stdlib, but in the place of a part of it.
    Entry("uvloop", "select", "greening.patches.uvloop"),
)
