"""Reading a compose file: variables, profiles, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.compose_file import ComposeError, interpolate, load, read_env, seconds, variables

SET = {"A": "a", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A-${A}", "a-a"),
        ("$UNSET.", "."),
        ("$$A $$${A}", "$A $a"),
        ("${UNSET:-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${UNSET-d}", "d"),
        ("${A:-d}", "a"),
        ("${A:+there}${EMPTY:+there}${EMPTY+set}", "thereset"),
        ("${UNSET:-x${A}y}", "xay"),
        ("${UNSET:-aws://u:p@/?r=us-east-1&e=http%3A%2F%2Fh%3A1}", "aws://u:p@/?r=us-east-1&e=http%3A%2F%2Fh%3A1"),
        ("${A:?say so}", "a"),
        ("${EMPTY?say so}", ""),
    ],
)
def test_variables_are_replaced_as_the_compose_specification_says(text: str, expected: str) -> None:
    """With each operator, set, empty and unset."""
    assert interpolate(text, SET) == expected


@pytest.mark.parametrize("text", ["${UNSET:?run make env}", "${EMPTY:?run make env}", "${UNSET?run make env}"])
def test_a_required_variable_that_is_not_there_is_an_error_with_the_files_own_words(text: str) -> None:
    """As `docker compose` puts it."""
    with pytest.raises(ComposeError, match="missing a value: run make env"):
        interpolate(text, SET)


@pytest.mark.parametrize("text", ["${A", "${1A}", "a $ b", "${A!x}"])
def test_what_is_no_variable_is_refused(text: str) -> None:
    """Rather than passed on as text."""
    with pytest.raises(ComposeError):
        interpolate(text, SET)


def test_variables_names_those_inside_defaults_too() -> None:
    """For the test that each has its line in .env.example."""
    assert variables("${A:-${B}} $C $$D") == {"A", "B", "C"}


def test_a_dot_env_has_names_values_quotes_and_comments(tmp_path: Path) -> None:
    """As compose reads it."""
    path = tmp_path / ".env"
    path.write_text("# note\nA=1\n B = 'two words' \nC=x=y # why\nD=\"#no\"\n#E=5\nnonsense\nF=\n")
    assert read_env(path) == {"A": "1", "C": "x=y", "D": "#no", "F": ""}


@pytest.mark.parametrize(("text", "expected"), [("5s", 5), ("1m30s", 90), ("2h", 7200), ("0.5s", 0.5)])
def test_durations(text: str, expected: float) -> None:
    """In seconds."""
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "5 s", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number alone means different things in different places."""
    with pytest.raises(ComposeError, match="expected a duration"):
        seconds(text)


def compose(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "compose.yaml"
    path.write_text(f"name: p\nservices:\n  s:\n    image: i:1\n{body}")
    return path


def test_services_of_other_profiles_and_those_scaled_to_none_are_left_out(tmp_path: Path) -> None:
    """As `docker compose up` leaves them."""
    path = compose(tmp_path, "  t:\n    image: i:1\n    profiles: [x]\n  u:\n    image: i:1\n    scale: ${U:-1}\n")
    assert set(load(path, {}).services) == {"s", "u"}
    assert set(load(path, {"U": "0"}, frozenset({"x"})).services) == {"s", "t"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("    privileged: true\n", "found privileged"),
        ("    command: airflow scheduler\n", "expected the command as a list"),
        ("    ports: ['8080:8080']\n", "expected ADDRESS:PORT:PORT"),
        ("    volumes: ['./a:b']\n", "as a volume"),
        ("    healthcheck: {test: curl x}\n", "CMD or CMD-SHELL"),
    ],
)
def test_what_is_not_understood_is_refused_and_named(tmp_path: Path, body: str, said: str) -> None:
    """Nothing in the file is passed over in silence."""
    with pytest.raises(ComposeError, match=said) as caught:
        load(compose(tmp_path, body), {})
    assert "service s" in str(caught.value)
