"""Rows a second and memory of the gate's evaluation: ``python -m benchmarks.bench_gate [--rows 10000000]``.

Each size runs in a process of its own. *Evaluation* is ``core.evaluation.evaluate`` on two scores tables that are in
memory as reading their files leaves them: encoding, every metric of the problem with its interval, of both models, of
their difference and of the difference from the baseline. Then, on a size that both can do, ``scipy.stats.bootstrap``
makes intervals of the same differences alone, with the same number of resamples, all metrics in one vectorised
statistic; the ratio is of processor time, ours and scipy's alternating.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "plugins"))

RESAMPLES, SEED = 2000, 20240229
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
BOTH = 4_000
PROBLEMS = ("regression", "two classes")


def child(way: str, problem: str, rows: int) -> None:
    """Run one way and print seconds, processor seconds and peak megabytes of the process."""
    {"ours": ours, "scipy": scipy}[way](problem, rows)


def _report(started: float, busy: float, before: float) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps([time.perf_counter() - started, time.process_time() - busy, peak, before]))


def ours(problem: str, rows: int) -> None:
    """The gate's evaluation of two scores tables."""
    import pandas as pd

    from automl_retraining.core.evaluation import evaluate
    from automl_retraining.core.gate_policy import GatePolicy
    from automl_retraining.core.metrics import Answers
    from automl_retraining.core.records import ModelRef
    from automl_retraining.core.subject import Subject
    from benchmarks.simulated_models import FAMILIES

    family = FAMILIES[0 if problem == "regression" else 2]
    labels = family.task.labels

    def table(answers: Answers) -> pd.DataFrame:
        if not labels:
            columns = {"truth": answers.truth, "prediction": answers.prediction}
            return pd.DataFrame(columns, index=ids, copy=False)
        columns = {
            what: pd.Series(pd.Categorical.from_codes(codes, list(labels)), index=ids)
            for what, codes in (("truth", answers.truth), ("prediction", answers.prediction))
        }
        assert answers.probabilities is not None
        shares = {"p:" + label: answers.probabilities[:, code] for code, label in enumerate(labels)}
        return pd.DataFrame(columns | shares, index=ids)

    ids = pd.Index(_row_ids(rows), name="row_id")
    tables = [table(answers) for answers in _drawn(family, rows)]
    subject = Subject(
        pipeline="bench",
        run_id="bench",
        target="target",
        problem_type=family.task.problem_type,
        labels=labels,
        positive_class=family.task.positive_class,
        target_mean=None if labels else 21.7,
        class_counts=dict.fromkeys(labels, 1000),
    )
    policy = GatePolicy(metric="roc_auc" if labels else "rmse", resamples=RESAMPLES, seed=SEED)
    before = _resident()
    started, busy = time.perf_counter(), time.process_time()
    evaluate(
        manifest=subject,
        policy=policy,
        challenger=ModelRef(model_name="challenger"),
        challenger_scores=tables[0],
        champion=ModelRef(model_name="champion"),
        champion_scores=tables[1],
        champion_error=None,
    )
    _report(started, busy, before)


def _row_ids(rows: int):  # type: ignore[no-untyped-def]
    import numpy as np

    return np.arange(1, rows + 1)


def _resident() -> float:
    """Megabytes of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _drawn(family, rows: int):  # type: ignore[no-untyped-def]
    """Both models' answers, drawn a few rows at a time, so that drawing is never what takes most memory."""
    import numpy as np

    from automl_retraining.core.metrics import Answers

    regression = not family.task.labels
    kind = np.float64 if regression else np.int8
    truth = np.empty(rows, kind)
    found = {
        role: (np.empty(rows, kind), None if regression else np.empty((rows, 2))) for role in ("challenger", "champion")
    }
    rng = np.random.default_rng(SEED)
    for start in range(0, rows, 100_000):
        part = slice(start, min(start + 100_000, rows))
        for role, answers in family.draw(rng, part.stop - part.start, better=True).items():
            truth[part] = answers.truth
            prediction, shares = found[role]
            prediction[part] = answers.prediction
            if shares is not None:
                shares[part] = answers.probabilities
    for role in ("challenger", "champion"):
        yield Answers(truth, *found.pop(role))


def scipy(problem: str, rows: int) -> None:
    """Intervals of the same differences by ``scipy.stats.bootstrap``."""
    import numpy as np
    from scipy import stats

    from automl_retraining.core.metrics import Answers
    from benchmarks.simulated_models import FAMILIES

    family = FAMILIES[0 if problem == "regression" else 2]
    one, two = (answers for answers in _drawn(family, rows))

    def regression(answers: Answers):  # type: ignore[no-untyped-def]
        error, truth = answers.prediction - answers.truth, answers.truth
        squared, size, share = error**2, np.abs(error), np.abs(error / truth)

        def values(picks):  # type: ignore[no-untyped-def]
            mse = squared[picks].mean(axis=-1)
            return np.stack(
                [
                    np.sqrt(mse),
                    size[picks].mean(axis=-1),
                    share[picks].mean(axis=-1),
                    1 - mse / truth[picks].var(axis=-1),
                ]
            )

        return values

    def classes(answers: Answers):  # type: ignore[no-untyped-def]
        truth, said, score = answers.truth == 1, answers.prediction == 1, answers.probabilities[:, 1]
        loss = -np.log(np.where(truth, score, 1 - score))

        def values(picks):  # type: ignore[no-untyped-def]
            t, p = truth[picks], said[picks]
            hits, true, called, n = (t & p).sum(-1), t.sum(-1), p.sum(-1), t.shape[-1]
            right = (t == p).sum(-1)
            misses = right - hits
            recall, other = hits / true, misses / (n - true)
            f1, f1_other = 2 * hits / (true + called), 2 * misses / (2 * n - true - called)
            ranks = stats.rankdata(score[picks], axis=-1)
            auc = ((ranks * t).sum(-1) - true * (true + 1) / 2) / (true * (n - true))
            weighted = (f1 * true + f1_other * (n - true)) / n
            macro = (f1 + f1_other) / 2
            accuracy, balanced, precision = right / n, (recall + other) / 2, hits / called
            shown = (auc, loss[picks].mean(-1), accuracy, balanced, f1, macro, weighted, precision, recall)
            return np.stack(shown)

        return values

    make = regression if problem == "regression" else classes
    first, second = make(one), make(two)
    before = _resident()
    started, busy = time.perf_counter(), time.process_time()
    stats.bootstrap(
        (np.arange(rows),),
        lambda picks, axis=-1: first(picks) - second(picks),  # noqa: ARG005
        n_resamples=RESAMPLES,
        batch=max(2_000_000 // rows, 1),
        vectorized=True,
        method="percentile",
        rng=np.random.default_rng(SEED),
    )
    _report(started, busy, before)


def measure(way: str, problem: str, rows: int) -> list[float]:
    """Seconds, processor seconds, peak megabytes and megabytes before, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.bench_gate", "--child", way, problem, str(rows)]
    result = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, text=True)
    found: list[float] = json.loads(result.stdout)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=SIZES[-1], help="the largest size")
    parser.add_argument("--pairs", type=int, default=3, help="runs of each beside scipy")
    parser.add_argument("--child", nargs=3)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], arguments.child[1], int(arguments.child[2]))
        return
    print(f"{os.cpu_count()} cores; {RESAMPLES:,} resamples; memory is the whole process's peak, tables included\n")
    print("| problem | rows | seconds | of processor | rows a second | peak MB | of it before |")
    print("|---|---|---|---|---|---|---|")
    for problem in PROBLEMS:
        for rows in [size for size in SIZES if size <= arguments.rows]:
            seconds, busy, peak, before = measure("ours", problem, rows)
            times = f"{seconds:.2f} | {busy:.2f} | {rows / seconds:,.0f}"
            print(f"| {problem} | {rows:,} | {times} | {peak:.0f} | {before:.0f} |", flush=True)
    print(f"\nBeside scipy.stats.bootstrap on {BOTH:,} rows, processor seconds (medians of {arguments.pairs}):\n")
    print("| problem | ours | scipy | scipy / ours |\n|---|---|---|---|")
    for problem in PROBLEMS:
        pairs = [
            (measure("ours", problem, BOTH)[1], measure("scipy", problem, BOTH)[1]) for _ in range(arguments.pairs)
        ]
        mine, theirs = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
        ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
        print(f"| {problem} | {mine:.2f} | {theirs:.2f} | {ratio:.1f} |", flush=True)


if __name__ == "__main__":
    main()
