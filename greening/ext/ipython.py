"""IPython and Jupyter: `%load_ext greening`, and kernels of programs that are patched from the start.

    %load_ext greening

patches the standard library from a cell on, or at the prompt. `python -m greening -m ipykernel_launcher` is a kernel
that is patched before its first import; a kernel spec of Jupyter names it.

The heartbeat of a kernel waits in a function of libzmq, for ever: it runs in an OS thread. The messages of a kernel go
through asyncio, which lets green threads run while no cell does.
"""

from types import ModuleType
from typing import Any

from greening.ext.native_start import start_natively
from greening.monkey import is_monkey_patched, monkey_patch, unpatch


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext greening`: patch everything, and give the shell the name `greening`.

    Source: https://ipython.readthedocs.io/en/stable/config/extensions/
    """
    monkey_patch()
    shell.run_cell("import greening", store_history=False)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext greening`: take it back. See `greening.unpatch` for when that is safe."""
    if is_monkey_patched("thread"):
        unpatch()


def native_heartbeat(module: ModuleType) -> None:
    """`ipykernel.heartbeat` has been imported."""
    module.Heartbeat.start = start_natively
