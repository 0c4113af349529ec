"""The source directory's archive: reproducible, complete, and only files."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from automl_retraining.core.errors import ConfigError
from automl_retraining.sagemaker import sourcedir


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script, a package, and what does not belong."""
    source = tmp_path / "source"
    (source / "package" / "__pycache__").mkdir(parents=True)
    (source / ".git").mkdir()
    for name in ("script.py", "requirements.txt", "package/__init__.py", "package/__pycache__/x.pyc", ".git/config"):
        (source / name).write_text(name)
    return source


def test_the_archive_holds_the_files_and_no_caches(folder: Path) -> None:
    """Names relative to the folder, contents as they are."""
    with tarfile.open(fileobj=io.BytesIO(sourcedir.archive(folder, "script.py"))) as tar:
        found = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
    assert found == {name: name.encode() for name in ("package/__init__.py", "requirements.txt", "script.py")}


def test_the_same_files_make_the_same_bytes_whenever_they_are_packed(folder: Path) -> None:
    """A retry must not look like a changed request."""
    first = sourcedir.archive(folder, "script.py")
    os.utime(folder / "script.py", (1, 1))
    (folder / "script.py").chmod(0o600)
    assert sourcedir.archive(folder, "script.py") == first
    (folder / "script.py").write_text("other")
    assert sourcedir.archive(folder, "script.py") != first


def test_what_cannot_be_packed_is_said_in_words(folder: Path, tmp_path: Path) -> None:
    """No folder, no script, a link that leads out."""
    with pytest.raises(ConfigError, match=r"expected a folder, found nothing at .*/nowhere"):
        sourcedir.archive(tmp_path / "nowhere", "script.py")
    with pytest.raises(ConfigError, match=r"found no 'other.py' there but requirements.txt, script.py"):
        sourcedir.archive(folder, "other.py")
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(ConfigError, match="found the link"):
        sourcedir.archive(folder, "script.py")


@pytest.mark.parametrize("name", ["a b.py", "x.py; rm -rf /", "../x.py", "$(id).py", "-c.py", "script.sh"])
def test_a_script_name_never_reaches_a_shell_as_more_than_a_name(name: str) -> None:
    """The run script is bash."""
    with pytest.raises(ConfigError, match="expected the name of a Python file"):
        sourcedir.run_script(name)
