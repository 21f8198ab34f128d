"""unpatch() gives everything back: names, classes, sets."""

import _imp
import os
import select
import selectors
import shutil
import subprocess
import time
from types import BuiltinFunctionType

import greening

supports = set(os.supports_dir_fd)
methods = {kind: dict(vars(kind)) for kind in (selectors.PollSelector, selectors.EpollSelector, subprocess.Popen)}
names = {module: dict(vars(module)) for module in (_imp, os, select, selectors, subprocess, time)}

for _ in range(2):
    greening.monkey_patch(os=True, select=True, subprocess=True, time=True)
    assert not isinstance(time.sleep, BuiltinFunctionType)
    assert os.open in os.supports_dir_fd
    assert shutil.rmtree.avoids_symlink_attacks
    greening.unpatch()
    for module, before in names.items():
        assert vars(module) == before, module
    for kind, before in methods.items():
        assert dict(vars(kind)) == before, kind
    assert os.supports_dir_fd == supports
    assert isinstance(time.sleep, BuiltinFunctionType)
