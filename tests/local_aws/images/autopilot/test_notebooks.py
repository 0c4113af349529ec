"""What the notebooks tell about a table, without running them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from include.local_aws.images.autopilot import definitions, search
from tests.local_aws.images.autopilot import jobs


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The sources of both notebooks of a job on a table with twenty rows twice and an outlier."""
    frame = jobs.table("Regression")
    frame.loc[580:, :] = frame.loc[:19, :].to_numpy()
    frame.loc[0, "number"] = 1e6
    root = jobs.write(tmp_path_factory.mktemp("told") / "job", frame, GenerateCandidateDefinitionsOnly=True)
    search.run(root)
    event = jobs.events(root, "artifacts")[0]
    found = {}
    for name in ("data_exploration_notebook", "candidate_definition_notebook"):
        notebook = nbformat.read(root / "output" / "artifacts" / event[name], as_version=4)
        found[name] = "\n".join(cell.source for cell in notebook.cells)
    return found


def test_the_exploration_tells_real_statistics(told: dict[str, str]) -> None:
    """Missing values, rows that are there twice, quartiles and outliers, the columns' kinds."""
    text = told["data_exploration_notebook"]
    assert "19 rows (3.17%) are equal to an earlier one" in text
    assert re.search(r"\| number \|( \S+ \|){6} 1e\+06 \| \d\.\d\d% \|", text)
    assert "| category | categorical |" in text
    assert "unused (the same value in every row)" in text
    assert "## Percent of missing values" in text


def test_the_definitions_tell_what_each_data_processor_does(told: dict[str, str]) -> None:
    """One section for each, the objective in the words of each algorithm."""
    text = told["candidate_definition_notebook"]
    assert "### `dpp0-xgboost`" in text
    assert "numbers imputed by their median" in text
    assert '"xgboost": "validation:mse"' in text
    assert 'objective_type="Minimize"' in text


def test_the_helper_package_is_plain_python_on_boto3_alone() -> None:
    """Whatever it imports is the standard library's, boto3, or its own."""
    files = definitions.package()
    assert "__init__.py" in files
    for content in files.values():
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                assert name.partition(".")[0] in {"__future__", "boto3", "collections", "concurrent", "dataclasses",
                                                  "time", "typing"}  # fmt: skip


def test_definitions_name_the_files_that_are_beside_the_notebook(tmp_path: Path) -> None:
    """Each data processor of the notebook is a module in S3."""
    root = jobs.write(tmp_path / "job", jobs.table("Regression"), GenerateCandidateDefinitionsOnly=True)
    search.run(root)
    notebook = root / "output" / "artifacts" / jobs.events(root, "artifacts")[0]["candidate_definition_notebook"]
    beside = notebook.parent.parent
    assert (beside / "sagemaker_automl" / "runner.py").is_file()
    modules = {path.stem for path in (beside / "generated_module" / "candidate_data_processors").glob("dpp*.py")}
    assert all(f'"name": "{module}"' in notebook.read_text().replace('\\"', '"') for module in modules)
