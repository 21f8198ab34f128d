"""After monkey_patch(): stand-ins of builtin functions can be sent to other processes, patched or not."""

import greening

greening.monkey_patch()

import copy
import os
import pickle
import subprocess
import sys
import time

assert pickle.loads(pickle.dumps(time.sleep)) is time.sleep
assert copy.copy(os.read)(os.open(os.devnull, os.O_RDONLY), 1) == b""
assert copy.deepcopy({"pause": time.sleep})["pause"](0) is None

there = "import pickle, sys; print(*(type(f).__name__ for f in pickle.load(sys.stdin.buffer)))"
done = subprocess.run([sys.executable, "-c", there], input=pickle.dumps([time.sleep, os.read]), stdout=subprocess.PIPE)
assert done.stdout.split() == [b"builtin_function_or_method"] * 2
