"""Files through containers, and the memory that takes."""

import gzip
import tracemalloc
from dataclasses import replace
from pathlib import Path

from include.local_aws.hosting.chain import Chain
from include.local_aws.transform.filters import parse
from include.local_aws.transform.worker import _file, _opened
from tests.local_aws.transform.test_batches import PLAN

LINE = b"0123456789,abcdefghij,klmnopqrst\n"
LINES = 60_000  # 2 MB


class Echo:
    """A container that answers what it is asked."""

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        return body, content_type


def test_memory_does_not_grow_with_the_file_packed_or_not(tmp_path: Path) -> None:
    source, packed, target = tmp_path / "in", tmp_path / "in.gz", tmp_path / "out"
    source.write_bytes(LINE * LINES)
    packed.write_bytes(gzip.compress(LINE * LINES, 1))
    plan = replace(PLAN, max_payload=20_000, join_input=True, output_filter=parse("$[0,-1]"))
    for path in (source, packed):
        with _opened(path, gzipped=path is packed) as stream:
            tracemalloc.start()
            requests = _file(Chain([Echo()]), stream, target, plan, 2)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert requests == -(-LINES // (20_000 // len(LINE)))
        assert target.read_bytes() == b"0123456789,klmnopqrst\n" * LINES
        assert peak < 700_000
