"""The server and the client of tests/wsgi."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

_PATH = Path(__file__).parent.parent / "wsgi" / "conftest.py"
_spec = spec_from_file_location("wsgi_conftest", _PATH)
assert _spec is not None and _spec.loader is not None
_wsgi = module_from_spec(_spec)
_spec.loader.exec_module(_wsgi)
serve = _wsgi.serve


class Seen:
    """An application that reads its body and remembers what it was asked for."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.environs: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.paths.append(environ["PATH_INFO"])
        self.environs.append(environ)
        environ["wsgi.input"].read()
        start_response("200 OK", [])
        return [b"ok"]


@pytest.fixture
def seen() -> Seen:
    return Seen()
