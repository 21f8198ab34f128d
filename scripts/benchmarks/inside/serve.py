"""The measured server: STYLE MODULE JOB. Ends with the benchmark that started it, however that ends."""

from __future__ import annotations

import ctypes
import importlib
import resource
import signal
import sys

from benchmarks.inside.job import Job

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until killed."""
    style, module, text = sys.argv[1:]
    job = Job.parse(text)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    adapter = importlib.import_module(f"benchmarks.inside.{style}")
    if job.patched:
        adapter.patch(module)
    if job.asyncio:
        adapter, module = importlib.import_module("benchmarks.inside.asyncio_style"), "asyncio"
    adapter.serve(module, job)


if __name__ == "__main__":
    main()
