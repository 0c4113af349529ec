"""Unpacking archives that somebody sent: what is right arrives, what leads outside is refused."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from include.local_aws.archives import OutsideError, unpack


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    """One entry of an archive."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode, made.uid, made.gid = kind, link, mode, 12345, 12345
    return made


def packed(folder: Path, *members: tarfile.TarInfo, compression: str = "gz") -> Path:
    """An archive with these; each file holds its own name."""
    path = folder / "sent.tar.gz"
    with tarfile.open(path, f"w:{compression}") as tar:
        for each in members:
            data = each.name.encode() if each.isreg() else b""
            each.size = len(data)
            tar.addfile(each, io.BytesIO(data))
    return path


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz", ""])
def test_files_folders_and_links_arrive(tmp_path: Path, compression: str) -> None:
    """Whoever packed them owns nothing here, and others may not write."""
    target = tmp_path / "model"
    archive = packed(
        tmp_path,
        member("code", tarfile.DIRTYPE),
        member("code/inference.py", mode=0o4777),
        member("/model.bin", mode=0o000),
        member("latest", tarfile.SYMTYPE, "model.bin"),
        member("code/again.bin", tarfile.SYMTYPE, "../model.bin"),
        member("twin.bin", tarfile.LNKTYPE, "model.bin"),
        compression=compression,
    )
    unpack(archive, target)
    assert (target / "code" / "inference.py").read_text() == "code/inference.py"
    assert [(target / name).read_text() for name in ("model.bin", "latest", "code/again.bin", "twin.bin")] == [
        "/model.bin"
    ] * 4
    modes = [(target / name).stat().st_mode & 0o7777 for name in ("code/inference.py", "model.bin")]
    assert modes == [0o755, 0o600]
    assert (target / "model.bin").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    "members",
    [
        [member("../evil")],
        [member("a/../../evil")],
        [member("..", tarfile.DIRTYPE)],
        [member("link", tarfile.SYMTYPE, "..")],
        [member("link", tarfile.SYMTYPE, "/etc/passwd")],
        [member("twin", tarfile.LNKTYPE, "../secret")],
        [member("pipe", tarfile.FIFOTYPE)],
        [member("disk", tarfile.BLKTYPE)],
        # A link that is harmless until a folder on its way turns out to be a link too.
        [member("link", tarfile.SYMTYPE, "dir/../.."), member("dir", tarfile.SYMTYPE, "."), member("link/evil")],
        [member("link", tarfile.SYMTYPE, "dir/../secret"), member("dir", tarfile.SYMTYPE, "."), member("link/evil")],
    ],
    ids=lambda members: members[-1].name,
)
def test_what_leads_outside_is_refused(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    """And nothing is written there."""
    (tmp_path / "secret").write_text("secret")
    before = sorted(path.name for path in tmp_path.iterdir())
    archive = packed(tmp_path, *members)
    with pytest.raises(OutsideError, match=r"leads outside|neither a file"):
        unpack(archive, tmp_path / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*before, "model", "sent.tar.gz"])
    assert (tmp_path / "secret").read_text() == "secret"


def test_a_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    """A second member of a link's name takes its place; the file that it led to stays."""
    archive = packed(tmp_path, member("model.bin"), member("link", tarfile.SYMTYPE, "model.bin"), member("link"))
    unpack(archive, tmp_path / "model")
    assert not (tmp_path / "model" / "link").is_symlink()
    assert (tmp_path / "model" / "model.bin").read_text() == "model.bin"


def test_an_archive_that_is_cut_off_or_none_is_an_error(tmp_path: Path) -> None:
    """Of the kinds that callers put in words."""
    archive = packed(tmp_path, member("model.bin"))
    archive.write_bytes(archive.read_bytes()[:60])
    with pytest.raises((tarfile.TarError, EOFError)):
        unpack(archive, tmp_path / "model")
    archive.write_bytes(b"no archive")
    with pytest.raises(tarfile.TarError):
        unpack(archive, tmp_path / "model")
