"""Log files under another user's hands."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from greening.wsgi.command.logfile import open_log
from greening.wsgi.command.privileges import Identity

OTHER = Identity(65534, 65534, "", "")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user's files to open")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """A folder of the other user, whom the folders above let in."""
    above = [path for path in (tmp_path, *tmp_path.parents) if not path.stat().st_mode & 0o001]
    for path in above:
        path.chmod(path.stat().st_mode | 0o001)
    folder = tmp_path / "site"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    yield folder
    for path in above:
        path.chmod(path.stat().st_mode & ~0o001)


def owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


def test_a_file_that_is_made_belongs_to_the_user(site: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "log", site / "log"):  # root's folder, and the user's own
        os.close(open_log(str(path), OTHER))
        assert owner(path) == (65534, 65534)
        os.close(open_log(str(path), OTHER))
    assert (os.geteuid(), os.getegid()) == (0, 0)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_to_a_foreign_file_is_not_opened_and_the_file_stays_as_it_is(
    site: Path, tmp_path: Path, link: object
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("secret")
    precious.chmod(0o600)
    assert callable(link)
    link(precious, site / "log")
    with pytest.raises(PermissionError):
        open_log(str(site / "log"), OTHER)
    assert owner(precious) == (0, 0)


def test_a_link_in_place_of_a_folder_makes_no_file_elsewhere(site: Path, tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o755)
    (site / "logs").symlink_to(tmp_path / "private")
    with pytest.raises(PermissionError):
        open_log(str(site / "logs" / "log"), OTHER)
    assert list((tmp_path / "private").iterdir()) == []


def test_a_file_of_root_is_not_given_away(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.touch(0o600)
    with pytest.raises(PermissionError) as error:
        open_log(str(path), OTHER)
    assert error.value.filename == str(path)
    assert owner(path) == (0, 0)


def test_the_own_user_needs_no_owner(tmp_path: Path) -> None:
    os.close(open_log(str(tmp_path / "log")))
    assert (tmp_path / "log").exists()
