"""Following what a process prints, and showing it in CloudWatch Logs."""

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from include.local_aws.jobs.logs import FORGET_BYTES, STREAM_BYTES, Follower, Logs, Stream
from tests.support.s3_server import running


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


def test_a_file_that_was_read_whole_is_emptied_when_it_is_large_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    follower = Follower(path)
    with path.open("ab", buffering=0) as file:
        file.write(b"x" * 100 + b"\n")
        assert len(list(follower.lines())) == 1
        follower.forget()
        assert path.stat().st_size == 101
        file.write((b"x" * 1000 + b"\n") * (FORGET_BYTES // 1000))
        follower.forget()  # not all of it was read
        assert len(list(follower.lines())) == FORGET_BYTES // 1000
        follower.forget()
        assert path.stat().st_size == 0
        file.write(b"next\n")
    assert list(follower.lines()) == ["next"]


class Service:
    """CloudWatch Logs, over HTTP, as moto answers it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client: Any = boto3.client(
            "logs", endpoint_url=url, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y"
        )

    def forget(self) -> None:
        """As when its process ends."""
        urllib.request.urlopen(f"{self.url}/moto-api/reset", data=b"").close()  # noqa: S310 - loopback

    def messages(self, group: str, stream: str) -> list[str]:
        """All of a stream's lines; none where there is no such stream."""
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            try:
                page = self.client.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True, **token)
            except self.client.exceptions.ResourceNotFoundException:
                return []
            found += [event["message"] for event in page["events"]]
            if not page["events"]:
                return found
            token = {"nextToken": page["nextForwardToken"]}


@pytest.fixture
def service() -> Iterator[Service]:
    with running() as url:
        service = Service(url)
        service.forget()
        yield service


def until(say: Callable[[], list[str]], wanted: list[str]) -> None:
    deadline = time.monotonic() + 20
    while (said := say()) != wanted:
        assert time.monotonic() < deadline, (len(said), said[:3], said[-3:])
        time.sleep(0.05)


def test_lines_are_shipped_once_in_their_order_and_again_after_a_restart(tmp_path: Path, service: Service) -> None:
    stream = Stream("us-east-1", "/group", "a/b")
    logs = Logs(tmp_path, service.url)
    logs.write(stream, ["zero"])
    logs.begin()
    for number in range(3):
        logs.write(stream, [f"{number}", ""])
        time.sleep(0.15)
    wanted = ["zero", "0", " ", "1", " ", "2", " "]
    until(lambda: service.messages("/group", "a/b"), wanted)
    logs.stop()
    service.forget()
    assert service.messages("/group", "a/b") == []
    again = Logs(tmp_path, service.url)
    again.begin()
    until(lambda: service.messages("/group", "a/b"), wanted)
    again.stop()


def test_a_line_that_a_kill_cut_off_is_no_line_and_harms_no_later_one(tmp_path: Path, service: Service) -> None:
    stream = Stream("us-east-1", "/group", "cut")
    Logs(tmp_path, service.url).write(stream, ["whole", "cut off"])
    (path,) = tmp_path.rglob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-4])
    logs = Logs(tmp_path, service.url)
    logs.begin()
    logs.write(stream, ["next"])
    until(lambda: service.messages("/group", "cut"), ["whole", "next"])
    logs.stop()


def test_of_a_stream_without_end_the_last_part_is_kept_in_the_file_and_in_the_service(
    tmp_path: Path, service: Service
) -> None:
    stream = Stream("us-east-1", "/group", "long")
    logs = Logs(tmp_path, service.url)
    logs.begin()
    logs.write(stream, ["first"])
    until(lambda: service.messages("/group", "long"), ["first"])
    line = "x" * 5000
    for number in range(5):
        logs.write(stream, [f"{number} {each} {line}" for each in range(200)])
    (path,) = tmp_path.rglob("*.jsonl")
    assert path.stat().st_size <= STREAM_BYTES
    kept = [json.loads(each)[1] for each in path.read_text().splitlines()]
    assert kept[-1] == f"4 199 {line}"
    assert kept[0] != "first"
    until(lambda: service.messages("/group", "long"), kept)
    logs.stop()


def test_after_a_restart_the_newest_streams_are_kept_and_old_ones_go(tmp_path: Path, service: Service) -> None:
    logs = Logs(tmp_path, service.url)
    for name in ("old", "new"):
        logs.write(Stream("us-east-1", "/group", name), [name])
    old = next(tmp_path.rglob("old.jsonl"))
    os.utime(old, (time.time() - 15 * 86_400,) * 2)
    large = [tmp_path / "us-east-1" / "%2Fgroup" / f"large-{number}.jsonl" for number in range(12)]
    for number, path in enumerate(large):
        path.write_text('[1, "x"]\n' * (STREAM_BYTES // 10))
        os.utime(path, (time.time() - 100 + number,) * 2)
    logs.begin()
    until(lambda: service.messages("/group", "new"), ["new"])
    logs.stop()
    assert not old.exists()
    assert [path.exists() for path in large] == [False] * 4 + [True] * 8
