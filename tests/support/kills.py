"""Work on an embedded AWS until it is killed, and what must be true of it when it is back.

Only what was acknowledged counts: a call that broke off may or may not have happened.
"""

from __future__ import annotations

import functools
import hashlib
import io
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET, ROLE, automl_request
from tests.support.small_jobs import prepare, processing_request, training_request, transform_request

MEGABYTE = 1024 * 1024
PARTS = TransferConfig(multipart_threshold=5 * MEGABYTE, multipart_chunksize=5 * MEGABYTE)
CUT_OFF = "the embedded AWS ended while the job was running"
ROWS = "2,2,x\n-2,-2,x\n"
ANSWER = b"yes\nno\n"
MODEL = "kept"
VARIANT = {"VariantName": "v", "ModelName": MODEL, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
OVER = ("Completed", "Failed", "Stopped")


@dataclass(frozen=True)
class Kind:
    """How boto3 calls a kind of job, its smallest request, and the longest pause between two of them (seconds)."""

    create: str
    name: str
    member: str
    request: Callable[[str], dict[str, Any]]
    pause: float = 0.3

    def describe(self, client: Any, name: str) -> tuple[str, str]:
        """Status and failure reason."""
        member = f"{self.member}Name"
        told = getattr(client, f"describe_{self.create}")(**{member: name})
        return told[f"{self.member}Status"], told.get("FailureReason", "")


KINDS = {
    "search": Kind(
        "auto_ml_job_v2", "auto_ml_job", "AutoMLJob", lambda name: automl_request(name, f"s3://{BUCKET}/train/"), 3
    ),
    "transform": Kind("transform_job", "transform_job", "TransformJob", lambda name: transform_request(name, MODEL)),
    "processing": Kind("processing_job", "processing_job", "ProcessingJob", processing_request),
    "training": Kind("training_job", "training_job", "TrainingJob", training_request),
}


@dataclass
class Facts:
    """What was acknowledged. Of an object also what was being written: either may be there."""

    objects: dict[str, set[str]] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)
    jobs: dict[tuple[str, str], str] = field(default_factory=dict)
    """By kind and name each job's last status that was told."""
    stopped: set[str] = field(default_factory=set)
    endpoints: set[str] = field(default_factory=set)
    deleting: set[str] = field(default_factory=set)


class World:
    """The facts of all rounds, and the work that makes more of them."""

    def __init__(self, seed: int) -> None:
        self.facts = Facts()
        self._random = random.Random(seed)
        self._number = 0
        self._lock = threading.Lock()

    def _name(self, kind: str) -> str:
        with self._lock:
            self._number += 1
            return f"{kind}-{self._number:05d}"

    def begin(self, aws: Running) -> None:
        """The bucket, data, and a trained model."""
        sagemaker = aws.client("sagemaker")
        prepare(aws)
        aws.client("s3").put_object(Bucket=BUCKET, Key="rows/rows.csv", Body=ROWS)
        sagemaker.create_auto_ml_job_v2(
            **automl_request("first", f"s3://{BUCKET}/train/", CompletionCriteria={"MaxCandidates": 1})
        )
        while (job := sagemaker.describe_auto_ml_job_v2(AutoMLJobName="first"))["AutoMLJobStatus"] == "InProgress":
            time.sleep(0.05)
        sagemaker.create_model(
            ModelName=MODEL, Containers=job["BestCandidate"]["InferenceContainers"], ExecutionRoleArn=ROLE
        )
        sagemaker.create_endpoint_config(EndpointConfigName="config", ProductionVariants=[VARIANT])

    def work(self, aws: Running, kill: Callable[[], None], seconds: float) -> None:
        """Everything at once for some seconds, then `kill`, in the middle of it."""
        over = threading.Event()
        kinds = [self._objects, self._large_objects, self._models, *self._jobs(), self._endpoints]
        threads = [
            threading.Thread(target=self._until, args=(over, kind, aws, random.Random(self._random.random())))
            for kind in kinds
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        kill()
        over.set()
        for thread in threads:
            thread.join()

    def _until(
        self, over: threading.Event, kind: Callable[[Running, random.Random], None], aws: Running, dice: random.Random
    ) -> None:
        while not over.is_set():
            try:
                kind(aws, dice)
            except (ClientError, BotoCoreError, HTTPClientError):
                time.sleep(0.05)  # it is gone, or not quite back: nothing was acknowledged

    def _put(self, key: str, body: bytes, write: Callable[[], Any]) -> None:
        digest = hashlib.sha256(body).hexdigest()
        self.facts.objects.setdefault(key, set()).add(digest)
        write()
        self.facts.objects[key] = {digest}

    def _objects(self, aws: Running, dice: random.Random) -> None:
        key = f"objects/{dice.randrange(400)}"
        known = key in self.facts.objects
        body = dice.randbytes(dice.randrange(100_000))
        if not known:
            self.facts.objects[key] = {""}  # or nothing at all
        self._put(key, body, lambda: aws.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body))

    def _large_objects(self, aws: Running, dice: random.Random) -> None:
        key = f"large/{dice.randrange(8)}"
        self.facts.objects.setdefault(key, {""})
        body = dice.randbytes(12 * MEGABYTE)
        self._put(key, body, lambda: aws.client("s3").upload_fileobj(io.BytesIO(body), BUCKET, key, Config=PARTS))

    def _models(self, aws: Running, dice: random.Random) -> None:
        name = self._name("model")
        container = {"Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.3-1"}
        aws.client("sagemaker").create_model(
            ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=[{"Key": "name", "Value": name}]
        )
        self.facts.models.add(name)
        time.sleep(0.02)

    def _jobs(self) -> list[Callable[[Running, random.Random], None]]:
        return [functools.partial(self._job, kind) for kind in KINDS]

    def _job(self, kind: str, aws: Running, dice: random.Random) -> None:
        job, client, name = KINDS[kind], aws.client("sagemaker"), self._name(kind)
        getattr(client, f"create_{job.create}")(**job.request(name))
        self.facts.jobs[kind, name] = "InProgress"
        if dice.random() < 0.2:
            self.facts.stopped.add(name)  # before: it may have been accepted although the answer is lost
            getattr(client, f"stop_{job.name}")(**{f"{job.member}Name": name})
        elif dice.random() < 0.5:
            self.facts.jobs[kind, name] = job.describe(client, name)[0]
        time.sleep(job.pause * dice.random())

    def _endpoints(self, aws: Running, dice: random.Random) -> None:
        client = aws.client("sagemaker")
        steady = sorted(self.facts.endpoints - self.facts.deleting)
        if len(steady) < 2:
            name = self._name("endpoint")
            client.create_endpoint(EndpointName=name, EndpointConfigName="config")
            self.facts.endpoints.add(name)
        else:
            name = dice.choice(steady)
            if dice.random() < 0.5:
                client.update_endpoint(EndpointName=name, EndpointConfigName="config")
            else:
                self.facts.deleting.add(name)  # before: it may have been accepted although the answer is lost
                client.delete_endpoint(EndpointName=name)
        time.sleep(dice.random() * 0.5)

    def check(self, aws: Running) -> None:
        """Everything acknowledged is there, nothing hangs in between, and what served serves."""
        self._check_objects(aws)
        client = aws.client("sagemaker")
        for name in self.facts.models:
            arn = client.describe_model(ModelName=name)["ModelArn"]
            assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "name", "Value": name}]
        for (kind, name), told in self.facts.jobs.items():
            status, reason = KINDS[kind].describe(client, name)
            self._settled(name, told, status, reason)
            self.facts.jobs[kind, name] = status
            if kind == "transform" and status == "Completed":
                answer = aws.client("s3").get_object(Bucket=BUCKET, Key=f"out/{name}/rows.csv.out")["Body"].read()
                assert answer == ANSWER, f"{name}: {answer!r}"
        self._check_endpoints(aws)

    def _check_objects(self, aws: Running) -> None:
        s3 = aws.client("s3")
        for key, digests in self.facts.objects.items():
            try:
                found = hashlib.sha256(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()).hexdigest()
            except s3.exceptions.NoSuchKey:
                found = ""
            assert found in digests, f"{key}: {'gone' if not found else 'other bytes'}"
            self.facts.objects[key] = {found}

    def _settled(self, name: str, told: str, status: str, reason: str) -> None:
        assert status in OVER, f"{name} is {status} after a restart"
        assert told not in OVER or told == status, f"{name} was {told} and is {status}"
        if status == "Failed":
            assert CUT_OFF in reason, f"{name}: {reason}"
        if status == "Stopped":
            assert name in self.facts.stopped, f"{name} was stopped by nobody"

    def _check_endpoints(self, aws: Running) -> None:
        client, deadline = aws.client("sagemaker"), time.monotonic() + 60
        for name in sorted(self.facts.endpoints):
            while (status := self._status(aws, name)) not in ("InService", None):
                assert status != "Failed", client.describe_endpoint(EndpointName=name)["FailureReason"]
                assert time.monotonic() < deadline, f"{name} is still {status}"
                time.sleep(0.05)
            if status is None:
                assert name in self.facts.deleting, f"{name} is gone"
                self.facts.endpoints.discard(name)
            else:
                self.facts.deleting.discard(name)
                assert _invoke(aws, name, deadline) == ANSWER
        while {path.parent.name for path in (aws.data / "endpoints").glob("*/*/*")} != self.facts.endpoints:
            assert time.monotonic() < deadline, "model data of endpoints that are gone"
            time.sleep(0.05)

    def _status(self, aws: Running, name: str) -> str | None:
        try:
            return str(aws.client("sagemaker").describe_endpoint(EndpointName=name)["EndpointStatus"])
        except ClientError as error:
            if "Could not find endpoint" in str(error):
                return None
            raise


def _invoke(aws: Running, name: str, deadline: float) -> bytes:
    runtime = aws.client("sagemaker-runtime")
    while True:
        try:
            body = runtime.invoke_endpoint(EndpointName=name, Body=ROWS.encode(), ContentType="text/csv")["Body"]
            return bytes(body.read())
        except runtime.exceptions.ServiceUnavailable:
            assert time.monotonic() < deadline, f"{name} does not answer"


def check_database(path: Path) -> None:
    """SQLite finds nothing wrong with the state that a killed server left."""
    database = sqlite3.connect(path)
    try:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()


def leftovers(data: Path) -> list[Path]:
    """Files of work that was cut off and that nothing will use any more."""
    found = [path for folder in ("jobs", "logs") for path in (data / folder).rglob("*.part")]
    for job in (data / "jobs").glob("*/*/*"):
        kept = (job / "input", job / "output", job / "input" / "config")
        found += [path for path in job.rglob("*") if path.is_dir() and path not in kept]
    return found
