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


@pytest.mark.parametrize(("found", "age"), [(FORMAT + 1, "a newer"), (0, "another"), ("1.0", "another")])
def test_data_of_another_format_are_refused_in_words_and_left_alone(tmp_path: Path, found: object, age: str) -> None:
    DataDirectory(tmp_path).release()
    marker = json.dumps({"format": found})
    (tmp_path / "version.json").write_text(marker)
    wanted = f"Expected data of format {FORMAT} .* found format {found}: it was written by {age} version"
    for _ in range(2):
        with pytest.raises(DataDirectoryError, match=wanted):
            DataDirectory(tmp_path)
    assert (tmp_path / "version.json").read_text() == marker


def test_a_marker_that_a_kill_cut_off_is_written_again(tmp_path: Path) -> None:
    (tmp_path / "version.part").write_text("{")
    DataDirectory(tmp_path).release()
    assert json.loads((tmp_path / "version.json").read_text()) == {"format": FORMAT}
    assert not (tmp_path / "version.part").exists()


def test_a_marker_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "version.json").write_text("[]")
    with pytest.raises(DataDirectoryError, match="found something else"):
        DataDirectory(tmp_path)


def test_a_path_that_is_no_directory_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(DataDirectoryError, match=f"Expected a directory to write to at {file}, found: .*File exists"):
        DataDirectory(file)
