"""Moving files between S3 and a job's directory, straight to the S3 server."""

import functools
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import S3UploadFailedError
from boto3.s3.transfer import TransferConfig
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

SMALL = 8 * 1024 * 1024
"""Bytes up to which an object moves in one request; larger ones move in parts of that size."""
AT_ONCE = 4
"""Parts, and small objects, under way at the same time for one job: each is a part in memory here and at the server."""
RESTART_SECONDS = 20
"""How long a request waits for a server that ended and is started again (3 s on an idle machine)."""
_PIECE = 1024 * 1024
_TRANSFER = TransferConfig(multipart_threshold=SMALL, multipart_chunksize=SMALL, max_concurrency=AT_ONCE)

_URI = re.compile(r"s3://([A-Za-z0-9.\-_]{1,255})(?:/(.*))?", re.DOTALL)


class S3InputError(ValueError):
    """What a job was told to read isn't there or can't be read; the sentence becomes the job's failure reason."""


@dataclass(frozen=True)
class S3Object:
    """One object: where it is and how large."""

    bucket: str
    key: str
    size: int

    @property
    def uri(self) -> str:
        """``s3://bucket/key``."""
        return f"s3://{self.bucket}/{self.key}"


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of ``s3://bucket/key``; raises `S3InputError` for anything else."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise S3InputError(f"Expected an S3 URI such as s3://bucket/key, found {uri!r}.")
    return match[1], match[2] or ""


def _says_absent(error: ClientError, key: str) -> bool:
    """Whether S3 answered that there is no such object; the built-in server answers 400 to keys that it can't hold."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status == 404 or (status == 400 and not {".", ".."}.isdisjoint(key.split("/")))


def _wait(up: Callable[[], bool], **_: Any) -> None:
    deadline = time.monotonic() + RESTART_SECONDS
    while not up() and time.monotonic() < deadline:
        time.sleep(0.02)


def split_object_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an object's URI; raises `S3InputError` for one without a key too."""
    bucket, key = split_uri(uri)
    if not key:
        raise S3InputError(f"Expected the S3 URI of an object such as s3://bucket/key, found {uri!r}.")
    return bucket, key


class S3Files:
    """Reading and writing objects for jobs."""

    def __init__(self, url: str, *, signed: bool, up: Callable[[], bool] | None = None) -> None:
        """`up` tells whether the server takes requests: while it is started again, requests wait for it."""
        session = boto3.session.Session(region_name="us-east-1")
        config = Config(
            signature_version=None if signed and session.get_credentials() else UNSIGNED,
            s3={"addressing_style": "path"},
            retries={"max_attempts": 5, "mode": "standard"},
            max_pool_connections=64,  # many jobs' threads share this client
            connect_timeout=5,
            read_timeout=120,
        )
        self._client: Any = session.client("s3", endpoint_url=url, config=config)
        if up is not None:
            self._client.meta.events.register("before-send.s3", functools.partial(_wait, up))

    def exists(self, uri: str) -> bool:
        """Whether there is an object at exactly this URI."""
        bucket, key = split_object_uri(uri)
        try:
            self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _says_absent(error, key):
                return False
            raise
        return True

    def bucket_exists(self, bucket: str) -> bool:
        """Whether there is such a bucket."""
        try:
            self._client.head_bucket(Bucket=bucket)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return True

    def check_output(self, uri: str) -> None:
        """Raises `S3InputError` where the bucket to write to does not exist."""
        bucket, _ = split_uri(uri)
        if not self.bucket_exists(bucket):
            raise S3InputError(f"ClientError: the bucket of the output location {uri} does not exist.")

    def below(self, uri: str) -> list[S3Object]:
        """Every object whose key starts with the URI's key, in key order, without the empty markers of folders."""
        return [each for each in self._list(uri) if not (each.key.endswith("/") and each.size == 0)]

    def any_below(self, uri: str) -> bool:
        """Whether an object stands at or below the URI."""
        return next((True for each in self._list(uri) if not (each.key.endswith("/") and each.size == 0)), False)

    def _list(self, uri: str) -> Iterator[S3Object]:
        bucket, prefix = split_uri(uri)
        try:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for each in page.get("Contents", ()):
                    yield S3Object(bucket, each["Key"], each["Size"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucket":
                return
            raise

    def manifest(self, uri: str) -> list[S3Object]:
        """The objects that a ManifestFile names: ``[{"prefix": "s3://…/"}, "key", …]``."""
        try:
            entries = json.loads(self.read(uri))
        except ValueError as error:
            raise S3InputError(f"Expected a JSON list in the manifest {uri}: {error}.") from error
        if not (isinstance(entries, list) and entries and all(isinstance(each, str) for each in entries[1:])):
            raise S3InputError(f'Expected [{{"prefix": "s3://…"}}, "key", …] in the manifest {uri}.')
        first = entries[0]
        if not (isinstance(first, dict) and isinstance(first.get("prefix"), str)):
            raise S3InputError(f'Expected {{"prefix": "s3://…"}} first in the manifest {uri}, found {first!r}.')
        return [self._stat(first["prefix"] + each) for each in entries[1:]]

    def inputs(self, data_type: str, uri: str) -> list[S3Object]:
        """The objects of an S3DataSource (S3Prefix or ManifestFile); raises `S3InputError` where there are none."""
        found = self.manifest(uri) if data_type == "ManifestFile" else self.below(uri)
        if not found:
            raise S3InputError(f'No S3 objects found under S3 URL "{uri}" given in input data source.')
        return found

    def read(self, uri: str) -> bytes:
        """One object's bytes; raises `S3InputError` where there is none."""
        bucket, key = split_object_uri(uri)
        try:
            body: bytes = self._client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if _says_absent(error, key):
                raise S3InputError(f"Could not find an object at {uri}.") from error
            raise
        return body

    def _stat(self, uri: str) -> S3Object:
        bucket, key = split_object_uri(uri)
        try:
            head = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _says_absent(error, key):
                raise S3InputError(f"Could not find an object at {uri}.") from error
            raise
        return S3Object(bucket, key, head["ContentLength"])

    def download(self, bucket: str, key: str, target: Path) -> None:
        """Stream one object to a file, through a name of its own so that a half file is never taken for a whole one."""
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        try:
            answer = self._client.get_object(Bucket=bucket, Key=key)
            with closing(answer["Body"]) as body:
                small = answer["ContentLength"] <= SMALL
                if small:
                    with part.open("wb") as file:
                        shutil.copyfileobj(body, file, _PIECE)
            if not small:
                self._client.download_file(bucket, key, str(part), Config=_TRANSFER)
        except ClientError as error:
            if _says_absent(error, key):
                raise S3InputError(f"Could not find an object at s3://{bucket}/{key}.") from error
            raise
        part.replace(target)

    def download_all(self, wanted: Iterable[tuple[str, str, Path]]) -> None:
        """`download` for each bucket, key and file, several at a time; the first error ends it."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in [pool.submit(self.download, *each) for each in wanted]:
                try:
                    done.result()
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise

    def upload(self, source: Path, uri: str) -> None:
        """Stream one file to an object; raises `S3InputError` where S3 refuses to take it."""
        bucket, key = split_object_uri(uri)
        try:
            if source.stat().st_size <= SMALL:
                with source.open("rb") as file:
                    self._client.put_object(Bucket=bucket, Key=key, Body=file)
            else:
                self._client.upload_file(str(source), bucket, key, Config=_TRANSFER)
        except (S3UploadFailedError, ClientError) as error:
            if "NoSuchBucket" in str(error):
                raise S3InputError(f"Could not write {uri}: there is no bucket {bucket!r}.") from error
            cause = error.__context__ if isinstance(error, S3UploadFailedError) else None
            raise S3InputError(f"ClientError: could not write {uri}: {cause or error}") from error
