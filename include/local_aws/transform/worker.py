"""What the process of a transform job runs: every input file through the model's containers."""

import gzip
import json
import sys
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from include.local_aws.hosting.chain import Chain, ChainError, load, read_specs
from include.local_aws.images import BadRequest
from include.local_aws.transform.batches import Batch, Plan, TransformError, assembled, batches
from include.local_aws.transform.filters import FilterError
from include.local_aws.transform.requests import plan_of

AHEAD = 4
"""Requests in preparation for each that is under way, so that memory does not grow with the file."""


class InvocationFailed(RuntimeError):
    """A container answered an error."""


def main(root: str) -> None:
    """Transform ``input/data/…`` into ``output/data/….out`` as ``input/config/transform.json`` says."""
    directory = Path(root)
    try:
        _transform(directory)
    except (ChainError, TransformError, FilterError, InvocationFailed) as error:
        print(f"failed: {error}", flush=True)
        (directory / "output" / "failure").write_text(str(error), encoding="utf-8")
        sys.exit(1)


def _transform(directory: Path) -> None:
    request: dict[str, Any] = json.loads((directory / "input" / "config" / "transform.json").read_text("utf-8"))
    plan = plan_of(request)
    gzipped = request["TransformInput"].get("CompressionType") == "Gzip"
    chain = load(read_specs(directory / "input" / "config" / "chain.json"), directory)
    data, output = directory / "input" / "data", directory / "output" / "data"
    for source in sorted(path for path in data.rglob("*") if path.is_file()):
        relative = source.relative_to(data)
        began = time.monotonic()
        target = output / f"{relative}.out"
        target.parent.mkdir(parents=True, exist_ok=True)
        requests = _file(
            chain, _content(source, gzipped=gzipped), target, plan, request.get("MaxConcurrentTransforms", 1)
        )
        print(f"{relative}: {requests} requests in {time.monotonic() - began:.2f} s", flush=True)


def _content(source: Path, *, gzipped: bool) -> bytes:
    content = source.read_bytes()
    if not gzipped:
        return content
    try:
        return gzip.decompress(content)
    except (gzip.BadGzipFile, EOFError) as error:
        raise TransformError(f"CompressionType is Gzip, but {source.name} can't be read as gzip: {error}.") from error


def _file(chain: Chain, content: bytes, target: Path, plan: Plan, at_once: int) -> int:
    """Answers in the order of their requests, under a name of its own until it is whole; how many there were."""
    part = target.with_name(target.name + ".part")
    count = 0
    waiting: list[tuple[Batch, Future[bytes]]] = []
    with ThreadPoolExecutor(max(1, at_once)) as pool, part.open("wb") as file:
        try:
            for batch in batches(content, plan):
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
        raise InvocationFailed(f"ClientError: 400 from the container: {error}") from error
    except Exception as error:
        traceback.print_exc()
        raise InvocationFailed(f"AlgorithmError: 500 from the container: {type(error).__name__}: {error}") from error
    return answer
