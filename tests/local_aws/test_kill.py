"""`kill -9` at any moment, of everything or of S3 alone.

What was acknowledged is there, what was cut off says so, nothing is left behind.

``KILL_ROUNDS`` and ``KILL_SEED`` make it longer: ``make kill-aws ROUNDS=50 SEED=7``.
"""

import os
import random
import signal
from pathlib import Path

import pytest

from tests.support.kills import World, check_database, leftovers
from tests.support.local_aws import Running, descendants, start
from tests.support.local_aws_requests import BUCKET
from tests.support.processes import gone

pytestmark = pytest.mark.local_aws
ROUNDS = int(os.environ.get("KILL_ROUNDS", "2"))
SEED = int(os.environ.get("KILL_SEED", "1"))


def s3_server(aws: Running) -> int:
    """The process of the S3 server."""
    return next(
        pid
        for pid in descendants(aws.process.pid)
        if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"weed")
    )


def kill_s3_alone(aws: Running, dice: random.Random) -> None:
    """It is started again, requests wait for it meanwhile, and every byte that was acknowledged is there."""
    s3 = aws.client("s3", retries={"max_attempts": 2, "mode": "standard"})
    bodies = {f"alone/{number}": dice.randbytes(2_000_000) for number in range(4)}
    for key, body in bodies.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    os.kill(s3_server(aws), signal.SIGKILL)
    s3.put_object(Bucket=BUCKET, Key="alone/after", Body=bodies["alone/0"])
    for key, body in bodies.items():
        assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body


def test_whatever_was_acknowledged_survives_kills_at_random_moments(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    world = World(SEED)
    aws = start(tmp_path)
    try:
        world.begin(aws)
        for number in range(ROUNDS):
            s3_first = number % 2 == 1

            def kill(aws: Running = aws, s3_first: bool = s3_first) -> None:
                processes = descendants(aws.process.pid)
                if s3_first:
                    kill_s3_alone(aws, dice)
                aws.kill()
                assert gone(processes), "processes outlived the server"

            world.work(aws, kill, dice.uniform(0.3, 3.0))
            check_database(tmp_path / "state.sqlite")
            aws = start(tmp_path)
            assert leftovers(tmp_path) == []
            world.check(aws)
    finally:
        aws.stop()
