"""`tpool` does not load wrapt before the program asks for `Proxy`, and `Proxy` works when everything is patched."""

import sys

import greening
from greening import tpool

assert tpool.execute(int, "7") == 7
assert "Proxy" in dir(tpool)
assert "wrapt" not in sys.modules
if "patched" in sys.argv:
    greening.monkey_patch()
proxy = tpool.Proxy([3, 1, 2])
proxy.sort()
assert list(proxy) == [1, 2, 3]
assert "wrapt" in sys.modules
tpool.killall()
