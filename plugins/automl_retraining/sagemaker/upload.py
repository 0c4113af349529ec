"""Streams to S3: what is written appears when all of it is there, and not at all where something goes wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

from automl_retraining.core.errors import StorageError
from automl_retraining.sagemaker.storage import parse_uri, words

MIB = 1 << 20
PART_BYTES = 8 * MIB
"""First part size. Memory per open stream is at most (1 + ``IN_FLIGHT``) × the part size."""
LARGEST_PART_BYTES = 64 * MIB
PARTS_PER_SIZE = 2000
"""The part size doubles after so many parts: S3 takes at most 10,000, which so reach 368 GiB."""
IN_FLIGHT = 2
_THREADS = 4


class S3Stream:
    """A binary file that is written once, front to back.

    Less than one part is a single PUT at ``finish``; more is a multipart upload whose parts are sent by other threads
    while the caller goes on. Nothing is visible before ``finish``, and nothing is left behind by ``abort``.
    """

    def __init__(
        self,
        s3: Any,
        uri: str,
        pool: ThreadPoolExecutor,
        *,
        part_bytes: int = PART_BYTES,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._s3 = s3
        self.uri = uri
        self._bucket, self._key = parse_uri(uri)
        self._pool = pool
        self._part_bytes = part_bytes
        self._settings = dict(settings or {})
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._sent: deque[Future[None]] = deque()
        self._parts: list[dict[str, Any]] = []
        self._n_parts = 0
        self.finished = False

    def write(self, data: bytes, /) -> int:
        """Take all of ``data``.

        Raises:
            StorageError: an earlier part could not be sent.
        """
        self._buffer += data
        while len(self._buffer) >= self._size():
            size = self._size()
            part = bytes(self._buffer[:size])
            del self._buffer[:size]
            self._send(part)
        return len(data)

    def finish(self) -> None:
        """Send what is left and make the object appear."""
        if self._upload_id is None:
            with words("write", self.uri):
                self._s3.put_object(Bucket=self._bucket, Key=self._key, Body=bytes(self._buffer), **self._settings)
        else:
            if self._buffer:
                self._send(bytes(self._buffer))
            while self._sent:
                self._sent.popleft().result()
            with words("write", self.uri):
                self._s3.complete_multipart_upload(
                    Bucket=self._bucket,
                    Key=self._key,
                    UploadId=self._upload_id,
                    MultipartUpload={"Parts": sorted(self._parts, key=lambda part: int(part["PartNumber"]))},
                )
        self._buffer.clear()
        self.finished = True

    def abort(self) -> None:
        """Leave nothing behind: neither parts nor, where it was finished already, the object."""
        self._buffer.clear()
        for future in self._sent:
            future.cancel()
        for future in self._sent:
            if not future.cancelled():
                future.exception()  # wait: a part that arrives after the abort would stay
        self._sent.clear()
        with words("remove what was written to", self.uri):
            if self.finished:
                self._s3.delete_object(Bucket=self._bucket, Key=self._key)
            elif self._upload_id is not None:
                self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)
        self._upload_id = None

    def _size(self) -> int:
        return int(
            min(self._part_bytes << (self._n_parts // PARTS_PER_SIZE), max(LARGEST_PART_BYTES, self._part_bytes))
        )

    def _send(self, part: bytes) -> None:
        if self._upload_id is None:
            with words("write", self.uri):
                answer = self._s3.create_multipart_upload(Bucket=self._bucket, Key=self._key, **self._settings)
            self._upload_id = answer["UploadId"]
        while len(self._sent) >= IN_FLIGHT:
            self._sent.popleft().result()
        self._n_parts += 1
        self._sent.append(self._pool.submit(self._send_part, part, self._n_parts))

    def _send_part(self, part: bytes, number: int) -> None:
        with words("write", self.uri):
            answer = self._s3.upload_part(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, PartNumber=number, Body=part
            )
        kept = {name: value for name, value in answer.items() if name == "ETag" or name.startswith("Checksum")}
        kept.pop("ChecksumType", None)
        self._parts.append({"PartNumber": number, **kept})


class Uploads:
    """Several streams that appear together or not at all.

    As a context manager: leaving it without an error finishes every stream; with one, all are aborted, and those that
    were finished are removed.
    """

    def __init__(self, s3: Any, *, kms_key: str | None = None, part_bytes: int = PART_BYTES) -> None:
        self._s3 = s3
        self._part_bytes = part_bytes
        self._encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3-upload")
        self._streams: list[S3Stream] = []

    def open(self, uri: str, content_type: str = "application/octet-stream") -> S3Stream:
        """A new stream to that URI."""
        stream = S3Stream(
            self._s3,
            uri,
            self._pool,
            part_bytes=self._part_bytes,
            settings={"ContentType": content_type, **self._encryption},
        )
        self._streams.append(stream)
        return stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                self._abort_all(error)
                return
            try:
                for stream in self._streams:
                    stream.finish()
            except BaseException as failure:
                self._abort_all(failure)
                raise
        finally:
            self._pool.shutdown()

    def _abort_all(self, error: BaseException) -> None:
        """Abort each, whatever happens to the others; what cannot be removed is noted on the error that goes on."""
        for stream in self._streams:
            try:
                stream.abort()
            except StorageError as problem:
                error.add_note(f"and then {problem}")
