"""requirements.txt without a package index."""

from pathlib import Path

import numpy as np
import pytest

from include.local_aws.scripting.requirements import NotInstalled, check, missing


@pytest.mark.parametrize(
    ("text", "unmet"),
    [
        ("", []),
        ("# a comment\n\nnumpy  # and another\nscikit-learn>=1\n", []),
        ("Scikit_Learn\n", []),
        (f"numpy=={np.__version__}\n", []),
        ("numpy<1\nno-such-thing==2.0\n", ["numpy<1", "no-such-thing==2.0"]),
        ("no-such-thing; python_version < '3'\n", []),
        ("-r other.txt\n", None),
        ("./package\n", None),
        ("thing @ https://somewhere/thing.whl\n", None),
    ],
)
def test_what_is_not_installed_is_named_and_what_only_pip_can_judge_is_left_to_it(
    text: str, unmet: list[str] | None
) -> None:
    assert missing(text) == unmet


def test_where_nothing_can_be_installed_every_unmet_requirement_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    check(file)  # there is none
    file.write_text("numpy\n")
    check(file)
    file.write_text("numpy\nno-such-thing==2.0\n")
    with pytest.raises(
        NotInstalled, match=r"requirements\.txt asks for what is not installed here: no-such-thing==2\.0"
    ):
        check(file)
