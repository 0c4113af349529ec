"""A job's directory as /opt/ml, by that absolute path."""

import ctypes
import fcntl
import os
import sys
import threading
from pathlib import Path

import pytest

from include.local_aws.jobs import container
from tests.support.forked import forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")


def names(folder: str) -> list[str]:
    return sorted(each.name for each in Path(folder).iterdir())


@pytest.fixture
def opt() -> list[str]:
    return names("/opt")


def test_two_jobs_at_a_time_read_and_write_their_own_opt_ml(tmp_path: Path) -> None:
    """Each enters before the other has written, and both are inside at the same time."""
    roots = [tmp_path / name for name in "ab"]
    met, here = os.pipe(), os.pipe()

    def job(root: Path, come: int, wait: int) -> str:
        container.enter(root)
        os.write(come, b"x")
        os.read(wait, 1)
        Path("/opt/ml/output.txt").write_text(root.name, encoding="utf-8")
        return f"{Path('/opt/ml/input.txt').read_text()} {Path.cwd()} {names('/opt/ml')}"

    for root in roots:
        root.mkdir()
        (root / "input.txt").write_text(f"input of {root.name}", encoding="utf-8")
    said: dict[str, str] = {}

    def start(number: int, come: int, wait: int) -> None:
        said[roots[number].name] = forked(lambda: job(roots[number], come, wait))

    threads = [
        threading.Thread(target=start, args=(0, met[1], here[0])),
        threading.Thread(target=start, args=(1, here[1], met[0])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    for end in (*met, *here):
        os.close(end)
    for root in roots:
        assert said[root.name] == f"input of {root.name} {root} ['input.txt', 'output.txt']"
        assert (root / "output.txt").read_text() == root.name


def test_nothing_of_it_is_seen_outside_and_the_rest_of_opt_stays_inside(tmp_path: Path, opt: list[str]) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()

    def job() -> list[str]:
        container.enter(tmp_path)
        return [each for each in names("/opt") if each != "ml"]

    assert forked(job) == [each for each in opt if each != "ml"]
    assert Path("/proc/self/mountinfo").read_text() == mounts
    assert names("/opt") == opt


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as another user than root already")
def test_it_needs_no_root_where_users_may_have_namespaces(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for folder in (root, *root.parents):
        if folder.name.startswith("pytest-of-") or folder.parent == Path("/"):
            break
        folder.chmod(0o777)
    folder.chmod(0o777)

    def job() -> str:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        # A process that gave up root without a new program may not read its own /proc: no matter of a real user's.
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
        container.enter(root)
        Path("/opt/ml/x").write_text("written", encoding="utf-8")
        return f"{os.getuid()} {os.getgid()} {Path('/opt/ml/x').read_text()}"

    if int(Path("/proc/sys/user/max_user_namespaces").read_text()) == 0:
        pytest.skip("this machine lets nobody have user namespaces")
    assert forked(job) == "65534 65534 written"
    assert (root / "x").stat().st_uid == 65534


def test_where_namespaces_are_refused_a_link_is_held_by_one_job_at_a_time_and_the_log_says_so(tmp_path: Path) -> None:
    """A process without the right to mount, as in most containers; the link is not the machine's own /opt/ml."""
    root, place, log = tmp_path / "root", tmp_path / "ml", tmp_path / "log"
    root.mkdir()

    def job() -> str:
        container.OPT_ML = place
        without_the_right_to_mount()
        container.enter(root)
        return str(place.readlink())

    with (tmp_path / "ml.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        release = threading.Timer(0.3, lambda: fcntl.flock(other, fcntl.LOCK_UN))
        release.start()
        assert forked(job, log) == str(root)
        release.join()
    said = log.read_text()
    assert "is a symbolic link here, for one job at a time (" in said
    assert "waiting for the job that holds it" in said


def test_where_neither_is_possible_the_reason_and_what_to_do_are_said(tmp_path: Path) -> None:
    place = tmp_path / "ml"
    place.mkdir()

    def job(*, wait: bool) -> str:
        container.OPT_ML = place
        without_the_right_to_mount()
        with pytest.raises(container.NoContainer) as caught:
            container.enter(tmp_path, wait=wait)
        return str(caught.value)

    said = forked(lambda: job(wait=True))
    assert f"{place} can't be made a symbolic link either" in said
    assert "Let this user create user namespaces" in said
    assert "can't be this process's alone" in forked(lambda: job(wait=False))


def without_the_right_to_mount() -> None:
    """Limit this process's user to the namespaces that there are: those of a user namespace, which starts with none."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x10000000) == 0  # CLONE_NEWUSER, where the limits of mount namespaces can be set
    Path("/proc/sys/user/max_mnt_namespaces").write_text("0", encoding="utf-8")
