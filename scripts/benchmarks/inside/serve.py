"""The measured echo server: STYLE MODULE TIMEOUT. Ends with the benchmark that started it, however that ends."""

from __future__ import annotations

import ctypes
import importlib
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until killed."""
    style, module, timeout = sys.argv[1:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    importlib.import_module(f"benchmarks.inside.{style}").serve_echo(module, float(timeout))


if __name__ == "__main__":
    main()
