"""Where a table may come from, and what stops when it cannot be had."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from unittest.mock import patch

import pytest

from automl_retraining.core.errors import ConfigError, DataError, StorageError
from automl_retraining.core.source import HashingReader, Source, WholeReader, locate
from tests.support.web import serving

TABLE = b"a,b\n1,2\n"


def find(source: str, root: Path) -> Source:
    """Locate it below ``root``, whose folder ``data`` is the only data folder."""
    return locate(source, root=root, data_dirs=[root / "data"])


def read(source: Source) -> bytes:
    """All its bytes."""
    with source.open() as stream:
        return b"".join(iter(lambda: stream.read(3), b""))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one table, and a file that no run may read."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").write_bytes(TABLE)
    (tmp_path / "secret.txt").write_bytes(TABLE)
    return tmp_path


def test_a_path_below_the_data_folders_is_read_again_and_again(root: Path) -> None:
    """Relative to the project or absolute; the size is known."""
    for text in ("data/table.csv", str(root / "data" / "table.csv"), "data/../data/table.csv"):
        source = find(text, root)
        assert (source.uri, source.size) == (text, len(TABLE))
        assert read(source) == read(source) == TABLE


@pytest.mark.parametrize("text", ["secret.txt", "data/../secret.txt", "/etc/passwd", "data/link.csv", "../x.csv"])
def test_a_path_that_leads_elsewhere_is_refused(root: Path, text: str) -> None:
    """Whoever may trigger a run may not read the worker's other files, through links and dots neither."""
    (root / "data" / "link.csv").symlink_to(root / "secret.txt")
    with pytest.raises(ConfigError, match=r"below one of the data folders .*AUTOML_RETRAINING_DATA_DIRS"):
        find(text, root)


def test_a_folder_whose_name_only_begins_alike_is_elsewhere(root: Path) -> None:
    """data2 is not below data."""
    (root / "data2").mkdir()
    (root / "data2" / "table.csv").write_bytes(TABLE)
    with pytest.raises(ConfigError, match="data folders"):
        find("data2/table.csv", root)


def test_a_missing_or_empty_file_or_a_folder_is_bad_data(root: Path) -> None:
    """With the path that was looked at."""
    (root / "data" / "empty.csv").write_bytes(b"")
    for text, sentence in (("none.csv", "found none at"), ("empty.csv", "found an empty file"), ("", "a folder")):
        with pytest.raises(DataError, match=sentence):
            find(f"data/{text}", root)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://example.com/t.csv", "use https://"),
        ("http://127.0.0.1:4566/bucket/t.csv", "use https://"),
        ("file:///etc/passwd", "write the path alone"),
        ("ftp://example.com/t.csv", "copy the table"),
        ("", "say where the table is"),
    ],
)
def test_other_schemes_are_refused_with_what_to_do(root: Path, text: str, hint: str) -> None:
    """A table is a path, https or s3."""
    with pytest.raises(ConfigError, match=hint):
        find(text, root)


def test_a_table_on_the_web_is_read_to_its_end(root: Path) -> None:
    """With and without an announced length."""
    with serving(TABLE) as address:
        source = find(address, root)
        assert source.size == len(TABLE)
        assert read(source) == TABLE
    with serving(TABLE, length=-1) as address:
        source = find(address, root)
        assert source.size is None
        assert read(source) == TABLE


@pytest.mark.parametrize(
    ("status", "kind", "retryable"), [(404, DataError, False), (403, DataError, False), (503, StorageError, True)]
)
def test_a_server_that_refuses_is_an_error_in_words(
    root: Path, status: int, kind: type[DataError | StorageError], retryable: bool
) -> None:
    """Worth another try only where the server is to blame."""
    with serving(b"no", status=status) as address, pytest.raises(kind, match=str(status)) as caught:
        find(address, root)
    assert caught.value.retryable is retryable


def test_a_web_page_is_no_table(root: Path) -> None:
    """A login page answers 200 too."""
    with (
        serving(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}) as address,
        pytest.raises(DataError, match="found a web page"),
    ):
        find(address, root)


def test_a_redirect_may_not_leave_https(root: Path) -> None:
    """Nor lead to a file."""
    for elsewhere in ("http://169.254.169.254/latest", "http://127.0.0.1/t.csv", "ftp://example.com/t.csv"):
        with (
            serving(b"", status=302, headers={"Location": elsewhere}) as address,
            pytest.raises(ConfigError, match="was sent on to"),
        ):
            find(address, root)


def test_a_server_without_a_trusted_certificate_is_refused(root: Path) -> None:
    """Nobody in between may hand in a table."""
    with (
        serving(TABLE) as address,
        # Not pytest's monkeypatch: it would put back the server's own certificate, after the server is gone.
        patch.dict("os.environ", {"SSL_CERT_FILE": os.devnull}),
        pytest.raises(StorageError, match="certificate"),
    ):
        find(address, root)


def test_a_transfer_that_breaks_off_is_not_a_short_table(root: Path) -> None:
    """The announced length holds."""
    with serving(TABLE, length=len(TABLE) + 5) as address:
        source = find(address, root)
        with pytest.raises(StorageError, match=r"expected 13 bytes, found the end after 8|broke off after"):
            read(source)


def test_a_server_that_is_not_there_is_worth_another_try(root: Path) -> None:
    """The address of a server that was stopped."""
    with serving(TABLE) as address:
        pass
    with pytest.raises(StorageError, match="expected an answer"):
        find(address, root)


def test_a_file_that_grows_while_it_is_read_is_an_error(root: Path) -> None:
    """Its hash would be of neither the old nor the new one."""
    path = root / "data" / "table.csv"
    source = find("data/table.csv", root)
    with source.open() as stream:
        stream.read(4)
        with path.open("ab") as file:
            file.write(b"3,4\n")
        stream.read(100)
        with pytest.raises(StorageError, match="changed meanwhile"):
            stream.read(100)


def test_what_is_read_is_hashed_and_counted(root: Path) -> None:
    """The sha256 of the file."""
    with find("data/table.csv", root).open() as stream:
        assert isinstance(stream, WholeReader)
        reader = HashingReader(stream)
        while reader.read(3):
            pass
    assert (reader.bytes, reader.sha256) == (8, hashlib.sha256(TABLE).hexdigest())
