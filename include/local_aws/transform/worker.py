"""What the process of a transform job runs: every input file through the model's containers."""

import gzip
import json
import sys
import time
import traceback
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, cast

from include.local_aws.hosting.chain import Chain, ChainError, load, read_specs
from include.local_aws.images import BadRequest
from include.local_aws.transform.batches import Batch, Plan, TransformError, assembled, batches
from include.local_aws.transform.requests import file_name, plan_of

AHEAD = 1
"""Requests in preparation for each that is under way, so that memory does not grow with the file."""


class InvocationFailed(RuntimeError):
    """A container answered an error; `records` says to which of the input object's records, where they were split."""

    records = ""

    def __init__(self, message: str, batch: Batch | None = None) -> None:
        super().__init__(message)
        if batch is not None and batch.records:
            last = batch.first + len(batch.records) - 1
            self.records = f", record {last}" if last == batch.first else f", records {batch.first} to {last}"


def main(root: str) -> None:
    """Transform ``input/data/…`` into ``output/data/….out`` as ``input/config/transform.json`` says."""
    directory = Path(root)
    try:
        _transform(directory)
    except (ChainError, TransformError, InvocationFailed) as error:
        print(f"failed: {error}", flush=True)
        (directory / "output" / "failure").write_text(str(error), encoding="utf-8")
        sys.exit(1)


def _transform(directory: Path) -> None:
    request: dict[str, Any] = json.loads((directory / "input" / "config" / "transform.json").read_text("utf-8"))
    plan = plan_of(request)
    gzipped = request["TransformInput"].get("CompressionType") == "Gzip"
    chain = load(read_specs(directory / "input" / "config" / "chain.json"), directory)
    data, output = directory / "input" / "data", directory / "output" / "data"
    output.mkdir(parents=True, exist_ok=True)
    uris: list[str] = json.loads((directory / "input" / "config" / "inputs.json").read_text("utf-8"))
    for number, uri in enumerate(uris):
        began = time.monotonic()
        target = output / f"{file_name(number)}.out"
        try:
            with _opened(data / file_name(number), gzipped=gzipped) as stream:
                requests = _file(chain, stream, target, plan, request.get("MaxConcurrentTransforms", 1))
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise TransformError(f"{uri}: CompressionType is Gzip, but it can't be read as gzip: {error}.") from error
        except TransformError as error:
            raise TransformError(f"{uri}: {error}") from error
        except InvocationFailed as error:
            raise InvocationFailed(f"{error} (input object {uri}{error.records})") from error
        print(f"{uri}: {requests} requests in {time.monotonic() - began:.2f} s", flush=True)


def _opened(source: Path, *, gzipped: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(source)) if gzipped else source.open("rb")


def _file(chain: Chain, stream: IO[bytes], target: Path, plan: Plan, at_once: int) -> int:
    """Answers in the order of their requests, under a name of its own until it is whole; how many there were."""
    part = target.with_name(target.name + ".part")
    count = 0
    waiting: list[tuple[Batch, Future[bytes]]] = []
    with ThreadPoolExecutor(max(1, at_once)) as pool, part.open("wb") as file:
        try:
            for batch in batches(stream, plan):
                waiting.append((batch, pool.submit(_invoke, chain, batch, plan)))
                count += 1
                if len(waiting) > AHEAD * max(1, at_once):
                    _write(file, waiting.pop(0), plan)
            for each in waiting:
                _write(file, each, plan)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    part.replace(target)
    return count


def _write(file: Any, pair: tuple[Batch, Future[bytes]], plan: Plan) -> None:
    batch, answer = pair
    file.write(assembled(batch, answer.result(), plan))


def _invoke(chain: Chain, batch: Batch, plan: Plan) -> bytes:
    try:
        answer, _ = chain.invoke(batch.body, plan.content_type, plan.accept)
    except BadRequest as error:
        raise InvocationFailed(f"ClientError: 400 from the container: {error}", batch) from error
    except Exception as error:
        traceback.print_exc()
        raise InvocationFailed(
            f"AlgorithmError: 500 from the container: {type(error).__name__}: {error}", batch
        ) from error
    return answer
