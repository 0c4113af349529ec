"""A pipeline's YAML: whatever it says, a pipeline comes of it or sentences that name the file."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel

from automl_retraining.core.config import Pipeline, load_pipeline
from automl_retraining.core.errors import ConfigError
from tests.support.fuzzing import tries

BASE = {"source": "a.csv", "target": "y", "gate": {"metric": "rmse"}}
LINE_LIMIT = 2000
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.binary(max_size=5)
    | st.text(max_size=12)
    | st.sampled_from(
        ["ml.m5.large", "90s", "2h", "0 5 * * 1", "@daily", "0 0 31 2 *", "s3://b/p/", "s3://", "x://%", "rmse", "f1",
         "canary", "tuned", "refit", "ab", "on_doubt", "Regression", "y", 10**40, float("nan"), float("inf"), "٣"]
    )
)  # fmt: skip
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=6,
)
# Words and signs that mean something to YAML.
SIGNS = st.lists(
    st.sampled_from(
        ["source", "target", "gate", "y", ": ", ":", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ", "&a ", "*a", "<<: ",
         "!!int ", "!!float ", "!!bool ", "!!timestamp ", "!!binary ", "!!set ", "!!map ", "!!omap ", "!!null ", "!x ",
         "!!python/object:os.system ", "? ", "| ", "> ", "%YAML 1.1\n", "---\n", "...\n", "2001-99-99", "0x", "0b",
         "1:99:99", "1_0", "=", "~", "'", '"', "\t", "#", "\\x41", "\x85", "\ufeff", "é", ".inf", "0o8",
         "{metric: rmse}"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


def places(model: type[BaseModel], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of the YAML, sections and their members."""
    found = []
    for name, member in model.model_fields.items():
        found.append((*path, name))
        for inner in (member.annotation, *typing.get_args(member.annotation)):
            if isinstance(inner, type) and not isinstance(inner, types.GenericAlias) and issubclass(inner, BaseModel):
                found += places(inner, (*path, name))
    return found


def numbers(value: Any) -> Iterator[float]:
    """Every number in nested mappings and lists."""
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from numbers(inner)
    elif isinstance(value, float):
        yield value


def read(folder: Path, content: str | bytes) -> Pipeline | None:
    """The pipeline, or None where it was refused as it should be: each line short and with the file's name."""
    path = folder / "shop.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    try:
        return load_pipeline(path)
    except ConfigError as error:
        for line in str(error).split("\n"):
            assert line.startswith(f"{path}: "), repr(line)
            assert "expected" in line.lower(), repr(line)
            assert len(line) < LINE_LIMIT + len(str(path)), repr(line)
        return None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples."""
    return tmp_path_factory.mktemp("pipelines")


@tries(100)
@given(content=st.binary(max_size=60) | st.text(max_size=60) | SIGNS)
def test_any_bytes(folder: Path, content: str | bytes) -> None:
    """Rubbish is refused by name."""
    read(folder, content)


@tries(150)
@given(sign=SIGNS, key=st.sampled_from(["target", "drop", "tags", "name", "schedule", "split"]))
def test_any_yaml_below_a_key(folder: Path, sign: str, key: str) -> None:
    """A file that is sound but for one value."""
    read(folder, f"source: a.csv\ngate: {{metric: rmse}}\n{key}: {sign}\n")


@tries(150)
@given(changes=st.lists(st.tuples(st.sampled_from(places(Pipeline)), VALUE), min_size=1, max_size=3))
@example(changes=[(("tuning",), {"\n": None})])
def test_any_value_at_any_key(folder: Path, changes: list[tuple[tuple[str, ...], Any]]) -> None:
    """What is accepted has no number without an end, and is the same when it is read again."""
    document: dict[str, Any] = {**BASE, "gate": dict(typing.cast("dict[str, Any]", BASE["gate"]))}
    for path, value in changes:
        section = document
        for name in path[:-1]:
            if not isinstance(section.get(name), dict):
                section[name] = {}
            section = section[name]
        section[path[-1]] = value
    pipeline = read(folder, yaml.safe_dump(document, allow_unicode=True))
    if pipeline is not None:
        said = pipeline.model_dump(exclude_unset=True)
        assert Pipeline.model_validate(said) == pipeline
        assert all(math.isfinite(number) for number in numbers(said))


BOMB = "".join(
    f"{chr(97 + n)}: &{chr(97 + n)} [{', '.join([f'*{chr(96 + n)}' if n else 'x'] * 9)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("target: 2001-99-99\n", "line 1"),
        ("a: 1\ntarget: !!timestamp soon\n", "line 2"),
        ("target: !!bool perhaps\n", "line 1"),
        ("target: !!map soon\n", "line 1"),
        ("target: " + "[" * 3_000, "nested"),
        ("target: " + "9" * 5000, "line 1"),
        (f"source: 0x{'f' * 5000}\ntarget: y\ngate: {{metric: rmse}}\n", "key source: expected text"),
        (BOMB + "source: *i\ntarget: *i\ngate: *i\n", "key source: expected text"),
        (BOMB.replace("a: ", "- ", 1), "expected"),
        ("- &a [*a]\n", "expected a mapping"),
        ("&a source: *a\n", "expected"),
        ("? [1]\n: 2\n", "line 1"),
        ("a\0b", "special characters"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_breaks_yaml_readers_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    """Values that are none, nesting without end, numbers without end, aliases that multiply."""
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_pipeline(path)
    assert all(line.startswith(f"{path}: ") for line in str(raised.value).split("\n"))
    assert words in str(raised.value)
    assert len(str(raised.value)) < 20_000
