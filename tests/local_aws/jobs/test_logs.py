"""Following what a process prints."""

from pathlib import Path

from include.local_aws.jobs.logs import Follower


def test_a_line_is_read_once_and_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    follower = Follower(path)
    assert list(follower.lines()) == []
    with path.open("ab") as file:
        file.write(b"one\ntw")
        file.flush()
        assert list(follower.lines()) == ["one"]
        file.write(b"o\r\nthree")
        file.flush()
        assert list(follower.lines()) == ["two"]
    assert list(follower.lines(last=True)) == ["three"]
    assert list(follower.lines(last=True)) == []


def test_bytes_that_are_no_text_do_not_stop_it(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xfe\n")
    assert list(Follower(path).lines()) == ["\ufffd\ufffd"]
