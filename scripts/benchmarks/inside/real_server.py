"""A real server for a row of `--ext`: NAME of tests/ext/servers.py. It runs until a line comes on standard input.

Prints {"port": n}, or {"cannot": why}.
"""

from __future__ import annotations

import importlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    """Start it, say where it is, wait."""
    servers: Any = importlib.import_module("tests.ext.servers")
    skipped: Any = importlib.import_module("pytest").skip.Exception
    try:
        with tempfile.TemporaryDirectory() as folder, getattr(servers, sys.argv[1])(Path(folder)) as server:
            print(json.dumps({"port": server.port}), flush=True)
            sys.stdin.readline()
    except skipped as reason:
        print(json.dumps({"cannot": str(reason)}), flush=True)


if __name__ == "__main__":
    main()
