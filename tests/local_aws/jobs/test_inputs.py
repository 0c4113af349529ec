"""S3 data sources as files."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from include.local_aws.jobs.inputs import Placed, fetch, placed, share
from include.local_aws.jobs.runner import JobFailed
from include.local_aws.s3.client import S3Files, S3Object
from tests.support.local_aws import Running
from tests.support.local_aws_requests import BUCKET


@pytest.fixture(scope="module")
def s3(aws: Running) -> S3Files:
    for key in ("in/table/a.csv", "in/table/sub/b.csv", "in/table-2.csv", "in/clash", "in/clash/x"):
        aws.client("s3").put_object(Bucket=BUCKET, Key=f"placed/{key}", Body=key.encode())
    aws.client("s3").put_object(Bucket=BUCKET, Key="placed/in/table/", Body=b"")
    return S3Files(aws.health()["services"]["s3"], signed=False)


@pytest.mark.local_aws
@pytest.mark.parametrize(
    ("uri", "paths"),
    [
        ("placed/in/table/", ["a.csv", "sub/b.csv"]),
        ("placed/in/table/a.csv", ["a.csv"]),
        ("placed/in/table-", ["table-2.csv"]),
        ("placed/in/table", ["table-2.csv", "a.csv", "sub/b.csv"]),
        ("placed/in/table/sub/b", ["b.csv"]),
    ],
)
def test_files_have_their_keys_from_the_prefixs_folder_on(s3: S3Files, uri: str, paths: list[str]) -> None:
    assert [str(each.path) for each in placed(s3, "S3Prefix", f"s3://{BUCKET}/{uri}")] == paths


@pytest.mark.local_aws
def test_a_manifests_entries_are_the_paths(s3: S3Files, aws: Running, tmp_path: Path) -> None:
    manifest = [{"prefix": f"s3://{BUCKET}/placed/in/"}, "table/a.csv", "table-2.csv"]
    aws.client("s3").put_object(Bucket=BUCKET, Key="placed.json", Body=json.dumps(manifest))
    found = placed(s3, "ManifestFile", f"s3://{BUCKET}/placed.json")
    fetch(s3, found, tmp_path / "x")
    assert [str(each.path) for each in found] == ["table/a.csv", "table-2.csv"]
    assert (tmp_path / "x/table/a.csv").read_text() == "in/table/a.csv"


@pytest.mark.local_aws
@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"prefix": f"s3://{BUCKET}/placed/"}, "../../x"], "Could not find an object|can't be a file's path"),
        ([{"prefix": f"s3://{BUCKET}/placed/"}, "in/clash", "in/clash/x"], "both a folder as well as a file"),
        ([{"prefix": f"s3://{BUCKET}/placed/"}, "in/none"], "Could not find an object at"),
        ([], "in the manifest"),
    ],
)
def test_keys_that_are_no_paths_and_what_is_missing_fail_the_job(
    s3: S3Files, aws: Running, entries: list[Any], said: str
) -> None:
    aws.client("s3").put_object(Bucket=BUCKET, Key="bad.json", Body=json.dumps(entries))
    with pytest.raises(JobFailed, match=f"ClientError: Data download failed:.*({said})"):
        placed(s3, "ManifestFile", f"s3://{BUCKET}/bad.json")
    with pytest.raises(JobFailed, match="No S3 objects found under S3 URL"):
        placed(s3, "S3Prefix", f"s3://{BUCKET}/placed/none/")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_object_is_given_to_one_instance_and_the_shares_are_even(count: int) -> None:
    objects = [Placed(S3Object("b", str(n), 1), PurePosixPath(str(n))) for n in range(5)]
    shares = [share(objects, instance, count) for instance in range(count)]
    assert sorted((each for part in shares for each in part), key=lambda each: each.object.key) == objects
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
