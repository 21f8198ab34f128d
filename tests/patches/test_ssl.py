"""ssl, patched in place: contexts and connections that existed before are cooperative, and verification is done."""

from pathlib import Path

import pytest
import trustme


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")
    return [str(tmp_path / "ca.pem"), str(tmp_path / "cert.pem")]


@pytest.mark.slow
@pytest.mark.parametrize("program", ["ssl_existing.py", "ssl_only.py", "ssl_asyncio.py"])
def test_program(program: str, files: list[str], run_program) -> None:
    run_program(program, *files, python_args=("-W", "error::ResourceWarning"))
