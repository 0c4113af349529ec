"""Unpacking what a user sent: model.tar.gz and sourcedir.tar.gz."""

import os
import shutil
import tarfile
from pathlib import Path


class OutsideError(tarfile.TarError):
    """A member leads out of the folder, or is neither a file, a folder nor a link."""


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar archive, compressed or not, into the folder. Owners are ignored, and who else may write.

    As ``filter="data"`` of tarfile (PEP 706), which Python has since 3.11.4 only. Each path is followed as it stands
    when it is written, so no order of links and files leads outside.

    Raises:
        OutsideError: see there; what came before stays.
        TarError, EOFError, OSError: it is no archive, is cut off, or does not fit on the disk.
    """
    target.mkdir(parents=True, exist_ok=True)
    root = target.resolve()
    with tarfile.open(archive, "r:*") as tar:
        for member in tar:
            path = _inside(root, root / member.name.lstrip("/"), member)
            if member.isdir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                _inside(root, path.parent / member.linkname, member)
                path.unlink(missing_ok=True)
                path.symlink_to(member.linkname)
            elif member.islnk():
                linked = _inside(root, root / member.linkname.lstrip("/"), member)
                path.unlink(missing_ok=True)
                os.link(linked, path)
            elif member.isreg():
                _write(tar, member, path)
            else:
                raise OutsideError(f"{member.name!r} is neither a file, a folder nor a link")


def _inside(root: Path, path: Path, member: tarfile.TarInfo) -> Path:
    """The path with every link on its way followed but the last, which may be replaced."""
    found = path.parent.resolve() / path.name if path.name not in ("", "..") else path.resolve()
    if not found.is_relative_to(root) or not path.resolve().is_relative_to(root):
        raise OutsideError(f"{member.name!r} leads outside of the folder it is unpacked into")
    return found


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.unlink(missing_ok=True)  # not through a link, nor into a file that another name has too
    source = tar.extractfile(member)
    assert source is not None  # it is a file
    with source, path.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    path.chmod(member.mode & 0o755 | 0o600)
