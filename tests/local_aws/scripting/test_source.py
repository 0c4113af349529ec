"""The user's source code."""

import io
import tarfile
from pathlib import Path

import pytest

from include.local_aws.scripting.source import SourceError, copy, unpack
from tests.support.script_mode import archive


def test_an_archive_is_unpacked_with_its_folders(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(archive({"train.py": "x", "lib/helper.py": "y"}))
    unpack(tmp_path / "a.tar.gz", tmp_path / "code")
    assert (tmp_path / "code/lib/helper.py").read_text() == "y"


def test_a_directory_is_copied_and_one_of_an_archive_alone_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sourcedir.tar.gz").write_bytes(archive({"train.py": "x"}))
    copy(tmp_path / "in", tmp_path / "one")
    (tmp_path / "in" / "readme").write_text("z")
    copy(tmp_path / "in", tmp_path / "two")
    assert sorted(each.name for each in (tmp_path / "one").iterdir()) == ["train.py"]
    assert sorted(each.name for each in (tmp_path / "two").iterdir()) == ["readme", "sourcedir.tar.gz"]


def test_what_is_no_archive_or_leads_outside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"a\.tar\.gz can't be unpacked as tar\.gz"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "code")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    for bad in (archive({"../outside": "x"}), out.getvalue()):
        (tmp_path / "a.tar.gz").write_bytes(bad)
        with pytest.raises(SourceError, match=r"outside|absolute path"):
            unpack(tmp_path / "a.tar.gz", tmp_path / "code")
    assert not (tmp_path / "outside").exists()
