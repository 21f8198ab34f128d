"""The optional accelerator; everything else is in pyproject.toml.

`optional`: without a C compiler the install goes on, and the Python source, which is complete, is what runs. The
limited API of 3.11: one library, and one wheel, for every CPython from there on.
"""

import sysconfig
from pathlib import Path

from setuptools import Extension, setup


def greenlet_headers() -> list[str]:
    """Where `greenlet/greenlet.h` is; empty: greenlet is not there, and the extension is left out."""
    try:
        import greenlet
    except ImportError:
        return []
    return [str(Path(greenlet.__file__).parent.parent)]


accelerator = Extension(
    "greening._accelerator",
    sources=[
        f"accelerator/{name}.c"
        for name in (
            "module gil ring task lot fairness thread guard lock semaphore local runner hub registration socket mask "
            "zeros files journal"
        ).split()
    ],
    depends=["accelerator/accelerator.h", "accelerator/docs.h"],
    include_dirs=greenlet_headers(),
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    # `-fexceptions`: runner.c has a word to say when pthread_exit(3) unwinds a stack.
    extra_compile_args=["-O2", "-fvisibility=hidden", "-fexceptions"],
    py_limited_api=True,
    optional=True,
)

if sysconfig.get_config_var("Py_GIL_DISABLED"):
    # The GIL is what makes its steps atomic, and setuptools refuses to build for the limited API there.
    setup()
else:
    setup(ext_modules=[accelerator], options={"bdist_wheel": {"py_limited_api": "cp311"}})
