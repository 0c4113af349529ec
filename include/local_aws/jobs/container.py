"""What the process of a job sees of its directory: as ``/opt/ml``, by that absolute path, as in a container.

A script that runs in SageMaker reads ``/opt/ml/processing/input/…`` and writes ``/opt/ml/model``. Each job here has a
directory of its own with that layout, and `enter` lets the calling process, and everything that it starts, see it at
that path: in a mount namespace of its own (as root), or in one inside a user namespace (as anyone else). Nothing of
it is seen by other processes, and it is gone with the last process inside. Where the machine allows neither (another
system than Linux, a container without the right to mount), ``/opt/ml`` is a symbolic link, which jobs hold one at a
time; the log says so.
"""

import ctypes
import fcntl
import os
import sys
from pathlib import Path

OPT_ML = Path("/opt/ml")

# <sched.h> and <sys/mount.h> of Linux
_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_MS_BIND = 1 << 12
_MS_REC = 1 << 14
_MS_PRIVATE = 1 << 18


class NoContainer(RuntimeError):
    """This machine can't show a job's directory as ``/opt/ml``."""


def enter(root: Path, *, wait: bool = True) -> None:
    """From here on ``/opt/ml`` is `root`, for this process and those that it starts.

    Call it once, from a process that has one thread only (a namespace is unshared by a thread, not by a process), and
    that ends with the job. Its working directory is `root` afterwards. Raises `NoContainer`, and without `wait` also
    where only one job at a time could have it.
    """
    root = root.resolve()
    try:
        _unshare()
        _mount_over(root)
    except OSError as reason:
        if not wait:
            raise NoContainer(f"{OPT_ML} can't be this process's alone: {reason.strerror or reason}.") from reason
        _link(root, reason)
    os.chdir(root)


def _libc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError(f"mount namespaces are Linux's, this is {sys.platform}")
    return ctypes.CDLL(None, use_errno=True)


def _unshare() -> None:
    """A mount namespace, whose mounts nobody else sees; raises `OSError`."""
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    if _libc().unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare(2): {os.strerror(number)}")
    if flags & _CLONE_NEWUSER:  # the same user and group as before, but with rights to mount
        Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="utf-8")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="utf-8")
    _mount("none", Path("/"), "", _MS_REC | _MS_PRIVATE)


def _mount(source: str | Path, target: Path, kind: str, flags: int, options: str = "") -> None:
    given = (os.fsencode(source), os.fsencode(target), kind.encode() or None, flags, options.encode() or None)
    libc = _libc()
    libc.mount.argtypes = (
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_ulong,
        ctypes.c_char_p,
    )
    if libc.mount(*given) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount(2) on {target}: {os.strerror(number)}")


def _mount_over(root: Path) -> None:
    """`root` on /opt/ml. Where there is no such directory to mount on, /opt is covered by a copy of it that has one:
    an empty file system with everything of the real /opt bound into it.
    """
    if not (OPT_ML.is_dir() and not OPT_ML.is_symlink()):
        parent = OPT_ML.parent
        os.chdir(parent)  # from here the real /opt is reached by relative paths, whatever covers it
        _mount("tmpfs", parent, "tmpfs", 0, "mode=755,size=1m")
        for entry in os.scandir("."):
            copy = parent / entry.name
            if copy == OPT_ML:
                continue
            if entry.is_symlink():
                copy.symlink_to(Path(entry.name).readlink())
            elif entry.is_dir():
                copy.mkdir()
                _mount(entry.name, copy, "", _MS_BIND | _MS_REC)
            elif entry.is_file():
                copy.touch()
                _mount(entry.name, copy, "", _MS_BIND)
        OPT_ML.mkdir()
    _mount(root, OPT_ML, "", _MS_BIND | _MS_REC)


_held: list[int] = []
"""The lock of `_link`, held for the rest of the process's life."""


def _link(root: Path, reason: OSError) -> None:
    """Make /opt/ml a symbolic link to `root`, as soon as no other job holds it.

    Where /opt is not writable but /opt/ml is a link already, whoever set the machine up made it point at a place that
    is: then that place becomes the link.
    """
    place = OPT_ML
    if not os.access(place.parent, os.W_OK) and place.is_symlink():
        place = place.parent / place.readlink()
    why = reason.strerror or str(reason)
    if not os.access(place.parent, os.W_OK) or (place.exists() and not place.is_symlink()):
        raise NoContainer(
            f"A job needs its directory at {OPT_ML}. Mounting it there is not possible here ({why}), and {place} can't "
            f"be made a symbolic link either. Let this user create user namespaces, or make {OPT_ML} a symbolic link "
            "to a path in a directory that this user may write to."
        )
    lock = os.open(place.with_name(f"{place.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    print(f"{OPT_ML} is a symbolic link here, for one job at a time ({why})", flush=True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("waiting for the job that holds it", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)
    _held.append(lock)
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    fresh.symlink_to(root)
    fresh.replace(place)
