"""Writes run folders as the DAGs leave them: real evaluations and decisions about seeded models' answers.

One model is judged for real; the folders of further runs are its folder with other names, times and values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from automl_retraining.core.evaluation import evaluate
from automl_retraining.core.gate import decide
from automl_retraining.core.names import run_folder_name
from automl_retraining.core.predictions import scores_to_csv
from automl_retraining.core.records import (
    Candidate,
    CheckResult,
    ColumnProfile,
    ContainerSpec,
    DataChecks,
    Decision,
    Evaluation,
    Interval,
    Leaderboard,
    Manifest,
    MetricResult,
    ModelRef,
    Outcome,
    Record,
)
from automl_retraining.core.subject import Subject
from tests.support import evidence

FIRST = datetime(2025, 1, 6, 5, tzinfo=UTC)
_WEEK = timedelta(days=7)


def run_id(number: int) -> str:
    """The id of the run of that week, as the scheduler makes it."""
    return f"scheduled__{(FIRST + number * _WEEK).isoformat()}"


@cache
def judged(rows: int = 800) -> tuple[Manifest, Evaluation, Decision, bytes, bytes]:
    """A two-class run: manifest, evaluation, decision, and both models' scores."""
    rng = np.random.default_rng(7)
    new, old = evidence.binary(rng, rows, 2.6, 1.6)
    plan = rng.choice(["basic", "gold"], rows)
    tables = [evidence.scores(one, evidence.BINARY, plan=plan) for one in (new, old)]
    columns = (
        ColumnProfile(name="minutes", type="number", missing=12, distinct=700, minimum=0.0, maximum=600.0,
                      mean=180.5, std=50.0),
        ColumnProfile(name="plan", type="text", missing=0, distinct=2, top=(("basic", 1800), ("gold", 600))),
        ColumnProfile(name="left", type="text", missing=0, distinct=2, top=(("no", 1700), ("yes", 700))),
    )  # fmt: skip
    manifest = evidence.manifest(evidence.BINARY, new, columns=columns, features=("minutes", "plan"))
    policy = evidence.policy("f1", slices=("plan",))
    found = evaluate(
        manifest=Subject.of_manifest(manifest),
        policy=policy,
        challenger=evidence.CHALLENGER,
        challenger_scores=tables[0],
        champion=evidence.CHAMPION,
        champion_scores=tables[1],
        champion_error=None,
        leaked=[],
    )
    return manifest, found, decide(found, policy), scores_to_csv(tables[0]), scores_to_csv(tables[1])


def records(number: int, *, pipeline: str = "churn", dag_id: str = "autopilot_churn", bucket: str = "tests",
            candidates: int = 10) -> dict[str, Record]:  # fmt: skip
    """The records of the run of that week; every third is promoted."""
    manifest, evaluation, decision, _, _ = judged()
    rng = np.random.default_rng(number)
    name, at = run_id(number), FIRST + number * _WEEK
    promoted = number % 3 == 0
    new, old = f"art-model-{number}", f"art-model-{number - number % 3 - (3 if promoted else 0)}"
    models = {"challenger": ModelRef(model_name=new, run_id=name), "champion": ModelRef(model_name=old)}
    moved = [
        column.model_copy(update={"mean": column.mean + number}) if column.mean is not None else column
        for column in manifest.columns
    ]
    verdict = "promote" if promoted else "keep"
    sentence = f"Run {number}: the challenger is {'better' if promoted else 'not better with confidence'}."
    shift = 0.02 * float(rng.normal())
    return {
        "manifest": manifest.model_copy(
            update={
                "pipeline": pipeline,
                "run_id": name,
                "created": at,
                "columns": tuple(moved),
                "previous_run": run_id(number - 1) if number else None,
            }
        ),
        "leaderboard": leaderboard(number, candidates, f"s3://{bucket}/{pipeline}/runs/{run_folder_name(name)}"),
        "evaluation": evaluation.model_copy(
            update={
                "pipeline": pipeline,
                "run_id": name,
                "metrics": tuple(_moved(metric, shift) for metric in evaluation.metrics),
                **models,
            }
        ),
        "decision": decision.model_copy(
            update={
                "pipeline": pipeline,
                "run_id": name,
                "verdict": verdict,
                "sentence": sentence,
                "challenger": new,
                "champion": old,
            }
        ),
        "checks": DataChecks(
            pipeline=pipeline,
            run_id=name,
            train_rows=2400,
            test_rows=800,
            seed=1,
            results=(CheckResult(name="duplicates", found=False, sentence="No test row stands in the train part."),),
        ),
        "outcome": Outcome(
            pipeline=pipeline,
            run_id=name,
            outcome="promoted" if promoted else "kept",
            sentence=sentence,
            endpoint="art-churn",
            challenger=new,
            champion=new if promoted else old,
            previous_champion=old,
            finished=at + timedelta(minutes=25),
            facts={"dag_id": dag_id, "jobs": {"search": f"art-automl-{number}"}},
        ),
    }


def leaderboard(number: int, candidates: int, folder: str) -> Leaderboard:
    """A search of so many candidates, with the containers that make real leaderboards large."""
    rng = np.random.default_rng(1000 + number)
    at = FIRST + number * _WEEK
    made = [
        Candidate(
            name=f"LightGBM-BAG-L1-t{place}",
            status="Completed",
            objective_metric="F1",
            objective_value=float(value),
            metrics={"F1": float(value), "AUC": float(value) ** 0.5, "LogLoss": float(rng.random())},
            algorithm=("LightGBM", "CatBoost", "XGBoost")[place % 3],
            hyperparameters={"learning_rate": f"{rng.random():.4f}", "num_leaves": str(int(rng.integers(8, 128)))},
            created=at + timedelta(seconds=place),
            ended=at + timedelta(seconds=place + 30),
            duration=30.0,
            containers=(
                ContainerSpec(
                    image="763104351884.dkr.ecr.us-east-1.amazonaws.com/autogluon-inference:1",
                    model_data_url=f"{folder}/autopilot/model-{place}.tar.gz",
                    environment={"SAGEMAKER_PROGRAM": "serve.py", "SAGEMAKER_INFERENCE_OUTPUT": "predicted_label"},
                ),
            ),
        )
        for place, value in enumerate(np.sort(0.6 + 0.3 * rng.random(candidates))[::-1])
    ]
    return Leaderboard(
        job_name=f"art-automl-{number}",
        job_arn=f"arn:aws:sagemaker:us-east-1:123456789012:automl-job/art-automl-{number}",
        kind="automl",
        objective_metric="F1",
        greater_is_better=True,
        mode="ENSEMBLING",
        status="Completed",
        secondary_status="Completed",
        created=at,
        ended=at + timedelta(minutes=20),
        duration=1200.0,
        billable_seconds=900.0 + number,
        transitions=(("Starting", at), ("TrainingModels", at + timedelta(minutes=1))),
        candidates=tuple(made),
        best=made[0].name if made else None,
    )


def objects(number: int, **options: Any) -> Iterator[tuple[str, bytes]]:
    """Keys and bytes of the run's folder."""
    pipeline = options.get("pipeline", "churn")
    base = f"{pipeline}/runs/{run_folder_name(run_id(number))}"
    for name, record in records(number, **options).items():
        yield f"{base}/{name}.json", record.to_json().encode()
    _, _, _, new, old = judged()
    yield f"{base}/scores/challenger.csv", new
    yield f"{base}/scores/champion.csv", old
    yield f"{base}/scores/leaked.csv", b"row_id\n"
    yield f"{base}/report.html", f"<!doctype html><title>Run {number}</title><h1>Run {number}</h1>".encode()


def write(s3: Any, bucket: str, count: int, *, first: int = 0, threads: int = 1, **options: Any) -> None:
    """Write so many run folders, one week apart."""

    def one(number: int) -> None:
        for key, data in objects(number, bucket=bucket, **options):
            s3.put_object(Bucket=bucket, Key=key, Body=data)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(first, first + count)))


def pipeline_yaml(**lines: str) -> str:
    """The YAML of the pipeline whose runs these are."""
    given: Mapping[str, str] = {
        "source": "include/data/churn.csv",
        "target": "left",
        "problem_type": "BinaryClassification",
        "trainers": "[autopilot, tuned]",
        "gate": "{metric: f1}",
        **lines,
    }
    return "".join(f"{key}: {value}\n" for key, value in given.items())


def _moved(metric: MetricResult, shift: float) -> MetricResult:
    def moved(value: Interval | None) -> Interval | None:
        if value is None:
            return None
        return Interval(value=value.value + shift, low=value.low + shift, high=value.high + shift)

    return metric.model_copy(update={"challenger": moved(metric.challenger)})
