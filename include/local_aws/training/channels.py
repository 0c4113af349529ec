"""Input channels: S3 objects as files below ``input/data/<channel>``."""

import gzip
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws.jobs import inputs
from include.local_aws.jobs.runner import JobFailed
from include.local_aws.s3.client import S3Files


def fetch(s3: S3Files, channel: Mapping[str, Any], folder: Path) -> None:
    """Download a channel's objects, unpacked where its CompressionType is Gzip; raises `JobFailed`.

    A training has one host here, which gets all objects of a channel that is ShardedByS3Key too.
    """
    source = channel["DataSource"]["S3DataSource"]
    inputs.fetch(s3, inputs.placed(s3, source["S3DataType"], source["S3Uri"]), folder)
    if channel.get("CompressionType", "None") == "Gzip":
        for path in [each for each in sorted(folder.rglob("*")) if each.is_file()]:
            _unpack(path, channel["ChannelName"])


def _unpack(packed: Path, channel: str) -> None:
    part = packed.with_name(packed.name[:200] + ".unpacked")
    try:
        with gzip.open(packed, "rb") as content, part.open("wb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise JobFailed(
            f"ClientError: CompressionType of channel {channel} is Gzip, but {packed.name} can't be read as gzip: "
            f"{error}."
        ) from error
    packed.unlink()
    part.rename(packed.with_name(packed.name.removesuffix(".gz")))
