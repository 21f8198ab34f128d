"""A real browser as the client."""

import shutil
from pathlib import Path

import pytest

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
def test_a_page_with_a_websocket(run_program, tmp_path: Path) -> None:
    run_program("browser.py", str(BROWSER), str(tmp_path / "profile"), timeout=60)
