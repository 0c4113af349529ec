"""Names and tags from whatever ids Airflow lets through."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from automl_retraining.core.config import Pipeline
from automl_retraining.core.names import job_name, name_limit, run_folder_name
from automl_retraining.sagemaker.jobs import KINDS
from automl_retraining.sagemaker.tags import own_tags
from tests.support.fuzzing import tries

# Lone surrogates too: JSON carries them, and a database that stores UTF-16 gives them back.
ID = st.text(st.characters(), max_size=300) | st.sampled_from(["", "é", "e\u0301", "İ", "ß", "\ud800", "a" * 5000])
KIND = st.sampled_from([*KINDS, "model", "config", "package"])
INTENT = st.fixed_dictionaries(
    {
        "deployment": ID,
        "dag_id": ID,
        "run_id": ID,
        "task_id": ID,
        "map_index": st.integers(-1, 10**6),
        "clear_number": st.integers(0, 10**6),
        "failures": st.integers(0, 10**6),
        "run_started": ID,
    }
)
LEGAL = re.compile(r"[a-z0-9](-*[a-z0-9])*")
PIPELINE_NAME = st.from_regex(r"[a-z_A-Z0-9.-]{1,42}", fullmatch=True)


@tries(80)
@given(kind=KIND, one=INTENT, other=INTENT, shared=st.sets(st.sampled_from(["dag_id", "run_id", "task_id"])))
def test_two_intents_have_two_legal_names(
    kind: str, one: dict[str, Any], other: dict[str, Any], shared: set[str]
) -> None:
    """Legal for the kind whatever the ids are; equal only where the whole intent is."""
    other = {**other, **{part: one[part] for part in shared}}
    first, second = job_name(kind, **one), job_name(kind, **other)
    for name in (first, second):
        assert LEGAL.fullmatch(name)
        assert name.startswith(f"art-{kind}-")
        assert len(name) <= name_limit(kind)
    assert (first == second) == (one == other)


@tries(80)
@given(parts=st.lists(ID, min_size=2, max_size=2), cut=st.integers(0, 300))
def test_where_one_id_ends_and_the_next_begins_counts(parts: list[str], cut: int) -> None:
    """The same characters divided otherwise between DAG and run are another intent."""
    text = "".join(parts)
    base: dict[str, Any] = {"deployment": "d", "task_id": "t", "map_index": -1, "clear_number": 0, "failures": 0}
    one = job_name("training", dag_id=parts[0], run_id=parts[1], **base)
    other = job_name("training", dag_id=text[:cut], run_id=text[cut:], **base)
    assert (one == other) == (parts[0] == text[:cut])


@tries(80)
@given(st.lists(ID.filter(bool), min_size=2, max_size=12, unique=True))
def test_runs_have_folders_of_their_own(run_ids: list[str]) -> None:
    """Also those whose ids differ by a surrogate, by case or by what is replaced; S3 tools take each as it is."""
    folders = [run_folder_name(run_id) for run_id in run_ids]
    assert len(set(folders)) == len(run_ids)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", folder) for folder in folders)


def test_another_process_gives_the_same_names() -> None:
    """Nothing hangs on the process: not the order of sets, not the seed of hashes."""
    ids = ["manual__2026-11-21T05:00:00+00:00", "é語😀", "", "a b/c"]
    code = (
        "import json, sys; from automl_retraining.core.names import job_name, run_folder_name\n"
        "ids = json.loads(sys.argv[1])\n"
        "made = [job_name('automl', deployment='d', dag_id=i, run_id=i, task_id='search', map_index=-1,"
        " clear_number=0, failures=0) for i in ids] + [run_folder_name(i) for i in ids]\n"
        "print(json.dumps(made))"
    )
    found = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code, json.dumps(ids)],
                env={"PYTHONHASHSEED": seed, "PYTHONPATH": "plugins"},
                capture_output=True,
                check=True,
            ).stdout
        )
        for seed in ("1", "2")
    ]
    assert found[0] == found[1]
    assert found[0][4] == run_folder_name(ids[0])


@tries(80)
@given(run_id=ID, deployment=ID, extra=st.dictionaries(st.sampled_from(["team", "cost"]), ID))
def test_tags_take_any_text(run_id: str, deployment: str, extra: dict[str, str]) -> None:
    """AWS takes letters, digits, separators and ``_.:/=+-@``, 256 of them."""
    for tag in own_tags(pipeline="p", run_id=run_id, run_folder="f", deployment=deployment, extra=extra):
        assert len(tag["Value"]) <= 256
        assert all(character in "_.:/=+-@" or unicodedata.category(character)[0] in "LNZ" for character in tag["Value"])


@tries(80)
@given(PIPELINE_NAME)
def test_every_pipelines_name_makes_a_legal_endpoint(name: str) -> None:
    """A name that would not is refused where the pipeline is read, not when the endpoint is made."""
    try:
        pipeline = Pipeline.model_validate({"name": name, "source": "a.csv", "target": "y", "gate": {"metric": "rmse"}})
    except ValueError:
        return
    for made in (pipeline.endpoint_name, pipeline.package_group):
        assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", made)
