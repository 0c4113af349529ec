"""Where a table comes from: a file below the data folders, or an https address, as a stream that can be opened again.

S3 sources are opened by ``sagemaker/download.py``, for ``core`` knows no AWS.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from automl_retraining.core.errors import ConfigError, DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT = 60.0
"""Seconds that a web server may stay silent."""


class Readable(Protocol):
    """What reading a table needs of a stream."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


@dataclass(frozen=True)
class Source:
    """A table that can be opened, more than once.

    ``size`` is in bytes, None where it is not known before reading.
    """

    uri: str
    size: int | None
    open: Callable[[], AbstractContextManager[Readable]]


class HashingReader:
    """A stream that hashes and counts what is read from it."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self.bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        """As the stream's."""
        data = self._stream.read(size)
        self._digest.update(data)
        self.bytes += len(data)
        return data

    @property
    def sha256(self) -> str:
        """Of everything read so far."""
        return self._digest.hexdigest()


class WholeReader:
    """A stream that must be as long as was announced: a connection that ends early is an error, not a short table."""

    def __init__(self, stream: Readable, uri: str, size: int | None) -> None:
        self._stream = stream
        self._uri = uri
        self._size = size
        self._read = 0

    def read(self, size: int = -1, /) -> bytes:
        """As the stream's.

        Raises:
            StorageError: the stream broke off; worth another try.
        """
        try:
            data = self._stream.read(size)
        except (OSError, HTTPException) as error:
            raise StorageError(f"{self._uri}: the transfer broke off after {self._read:,} bytes: {error}") from error
        self._read += len(data)
        if not data and size != 0 and self._size is not None and self._read != self._size:
            raise StorageError(
                f"{self._uri}: expected {self._size:,} bytes, found the end after {self._read:,}: the transfer broke "
                "off or the source changed meanwhile"
            )
        return data


def scheme_of(source: str) -> str:
    """``s3``, ``https``, ...; "" for a path."""
    scheme, separator, _ = source.partition("://")
    return scheme.lower() if separator else ""


def locate(source: str, *, root: Path, data_dirs: Iterable[Path]) -> Source:
    """A local or web source.

    Args:
        source: A path (relative to ``root``), or an https address.
        root: The project's folder.
        data_dirs: The only folders that a path may lead into, links and ``..`` followed.

    Raises:
        DataError: there is no such file, or it is empty.
        ConfigError: the path leads elsewhere, or the scheme is not one of ours.
        StorageError: the server does not answer; worth another try.
    """
    scheme = scheme_of(source)
    if not source.strip():
        raise ConfigError("source: expected a path, https:// or s3://, found nothing: say where the table is")
    if not scheme:
        return _local(source, root, data_dirs)
    if scheme == "https":
        return _web(source)
    hint = {"http": "use https://", "file": "write the path alone"}.get(scheme, "copy the table to one of these")
    raise ConfigError(f"source {source}: expected a path, https:// or s3://, found {scheme}://: {hint}")


def _local(source: str, root: Path, data_dirs: Iterable[Path]) -> Source:
    path = Path(os.path.realpath(root / source))
    folders = [Path(os.path.realpath(root / folder)) for folder in data_dirs]
    if not any(path.is_relative_to(folder) for folder in folders):
        allowed = ", ".join(map(str, folders))
        raise ConfigError(
            f"source {source}: expected a file below one of the data folders ({allowed}), found {path}: move the file "
            "there, or add its folder to AUTOML_RETRAINING_DATA_DIRS"
        )
    if not path.exists():
        raise DataError(f"source {source}: expected a file, found none at {path}: check the path")
    if not path.is_file():
        raise DataError(f"source {source}: expected a file, found a folder or a device at {path}")
    size = path.stat().st_size
    if size == 0:
        raise DataError(f"source {source}: expected a header and rows, found an empty file")

    @contextmanager
    def opened() -> Iterator[Readable]:
        try:
            stream = path.open("rb")
        except OSError as error:
            raise DataError(f"source {source}: expected a file that may be read, found: {error}") from error
        with stream:
            yield WholeReader(stream, f"source {source}", size)

    return Source(source, size, opened)


def _web(source: str) -> Source:
    with _request(source) as response:
        size = _length(response)
        kind = response.headers.get_content_type()
    if kind == "text/html":
        raise DataError(f"source {source}: expected a CSV file, found a web page: is a login needed?")
    if size == 0:
        raise DataError(f"source {source}: expected a header and rows, found an empty file")

    @contextmanager
    def opened() -> Iterator[Readable]:
        with _request(source) as response:
            yield WholeReader(response, f"source {source}", _length(response))

    return Source(source, size, opened)


def _length(response: HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length")
    return int(text) if text and text.isdigit() else None


class _StaySecure(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but none that leaves https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
        if scheme_of(newurl) != "https":
            raise ConfigError(f"source {req.full_url}: expected to stay on https://, was sent on to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _request(source: str) -> Iterator[HTTPResponse]:
    opener = urllib.request.build_opener(_StaySecure)
    request = urllib.request.Request(source, headers={"Accept-Encoding": "identity"})  # noqa: S310 - checked by locate
    try:
        response = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= 500 or error.code in (408, 429):
                raise StorageError(f"source {source}: the server answered {error.code} {error.reason}") from error
            raise DataError(
                f"source {source}: expected a file, the server answered {error.code} {error.reason}: check the address"
            ) from error
    except (HTTPException, OSError) as error:
        raise StorageError(f"source {source}: expected an answer, found: {error}") from error
    with response:
        yield response
