"""A model's containers in one process."""

import io
import tarfile
from pathlib import Path

import pytest

from include.local_aws.hosting.chain import Chain, ChainError, ContainerSpec, extract, load, read_specs, write_specs


class Appending:
    """A container that shows what it was given."""

    def __init__(self, name: str) -> None:
        self.name = name

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        return body + f"|{self.name}:{content_type}:{accept}".encode(), f"type/{self.name}"


def test_each_container_gets_the_answer_and_the_type_of_the_one_before_and_the_last_one_what_is_accepted() -> None:
    body, content_type = Chain([Appending("a"), Appending("b")]).invoke(b"x", "text/csv", "application/json")
    assert body == b"x|a:text/csv:None|b:type/a:application/json"
    assert content_type == "type/b"


def archive(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            member.size = 0 if member.issym() else 1
            tar.addfile(member, None if member.issym() else io.BytesIO(b"x"))
    return path


def test_model_data_is_unpacked(tmp_path: Path) -> None:
    extract(archive(tmp_path / "m.tar.gz", tarfile.TarInfo("code/model.bin")), tmp_path / "out")
    assert (tmp_path / "out" / "code" / "model.bin").read_bytes() == b"x"


def test_model_data_can_not_climb_out_of_its_directory(tmp_path: Path) -> None:
    with pytest.raises(ChainError, match="outside"):
        extract(archive(tmp_path / "m.tar.gz", tarfile.TarInfo("../outside")), tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_an_absolute_path_is_taken_below_the_directory(tmp_path: Path) -> None:
    extract(archive(tmp_path / "m.tar.gz", tarfile.TarInfo("/etc/outside")), tmp_path / "out")
    assert (tmp_path / "out" / "etc" / "outside").exists()
    assert not Path("/etc/outside").exists()


def test_a_link_that_leads_outside_is_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "../../secret"
    with pytest.raises(ChainError):
        extract(archive(tmp_path / "m.tar.gz", link), tmp_path / "out")


def test_what_is_no_archive_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"nonsense")
    with pytest.raises(ChainError, match=r"model\.tar\.gz can't be unpacked"):
        extract(tmp_path / "model.tar.gz", tmp_path / "out")


def test_a_container_that_can_not_load_is_named_with_its_position(tmp_path: Path) -> None:
    spec = ContainerSpec("1.dkr.ecr.us-east-1.amazonaws.com/nobody:1", "", {})
    with pytest.raises(ChainError, match=r"Container 1 \(1\.dkr.*nobody:1\) could not load its model: The"):
        load([spec], tmp_path)


def test_specs_come_back_as_written(tmp_path: Path) -> None:
    specs = [ContainerSpec("image:1", "/x/model.tar.gz", {"A": "1"}), ContainerSpec("image:2", "", {})]
    write_specs(tmp_path / "deep" / "chain.json", specs)
    assert read_specs(tmp_path / "deep" / "chain.json") == specs
