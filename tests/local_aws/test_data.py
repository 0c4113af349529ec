"""The data directory is one process's at a time and knows its format."""

import json
from pathlib import Path

import pytest

from include.local_aws.data import FORMAT, DataDirectory, DataDirectoryError


def test_a_second_user_is_refused_with_the_first_ones_process(tmp_path: Path) -> None:
    first = DataDirectory(tmp_path)
    with pytest.raises(DataDirectoryError, match=r"Another embedded AWS \(process \d+\) uses the data directory"):
        DataDirectory(tmp_path)
    first.release()
    DataDirectory(tmp_path).release()


def test_data_of_a_newer_format_is_refused_in_words(tmp_path: Path) -> None:
    DataDirectory(tmp_path).release()
    (tmp_path / "version.json").write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(DataDirectoryError, match=f"Expected data of format {FORMAT} .* found format {FORMAT + 1}"):
        DataDirectory(tmp_path)


def test_a_marker_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "version.json").write_text("[]")
    with pytest.raises(DataDirectoryError, match="found something else"):
        DataDirectory(tmp_path)


def test_a_path_that_is_no_directory_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataDirectoryError, match=f"Expected a directory to write to at {file}, found: .*File exists"):
        DataDirectory(file)
