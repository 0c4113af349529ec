"""How often the gate's interval calls equal models different: ``python benchmarks/bench_gate_errors.py [tables]``.

Pairs of models of equal quality answer the same simulated test rows; a 95 % interval of their difference should lie
above zero in 2.5 % of the tables (each is a false promotion) and below it in as many. Prints a markdown table.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "plugins"))

import numpy as np

from automl_retraining.core.comparison import Comparison
from automl_retraining.core.gate import improvement
from automl_retraining.core.metric_table import MetricSpec, metrics_for
from automl_retraining.core.metrics import Answers, Task
from automl_retraining.core.resampling import Settings, units_by_row

BINARY = Task("BinaryClassification", ("no", "yes"))
REGRESSION = Task("Regression")
SIZES = (80, 300, 1000)


def classes(rng: np.random.Generator, rows: int) -> dict[str, Answers]:
    """Two equal classifiers, 14 % positives, half of their noise shared."""
    truth = (rng.random(rows) < 0.14).astype(np.int64)
    shared = rng.normal(size=rows)

    def model() -> Answers:
        score = 1 / (1 + np.exp(1.5 - (2 * truth + 0.7 * shared + 0.7 * rng.normal(size=rows))))
        return Answers(truth, (score > 0.5).astype(np.int64), np.column_stack([1 - score, score]))

    return {"challenger": model(), "champion": model()}


def numbers(rng: np.random.Generator, rows: int) -> dict[str, Answers]:
    """Two equal regressions with heavy-tailed errors (Student's t, 3 degrees), two thirds of them shared."""
    truth, shared = rng.normal(23, 7, rows), rng.standard_t(3, rows)
    return {role: Answers(truth, truth + shared + 0.5 * rng.standard_t(3, rows)) for role in ("challenger", "champion")}


def main(tables: int) -> None:
    """Simulate and print."""
    print("| metric | " + " | ".join(f"{size:,} rows" for size in SIZES) + " |")
    print("|---|" + "---|" * len(SIZES))
    for task, make in ((BINARY, classes), (REGRESSION, numbers)):
        specs: tuple[MetricSpec, ...] = metrics_for(task.problem_type)
        cells: dict[str, list[str]] = {spec.name: [] for spec in specs}
        for size in SIZES:
            above: Counter[str] = Counter()
            below: Counter[str] = Counter()
            judged: Counter[str] = Counter()
            for table in range(tables):
                rng = np.random.default_rng((size, table))
                settings = Settings(confidence=0.95, resamples=1000, seed=table)
                comparison = Comparison(make(rng, size), task, units_by_row(size), settings, specs)
                for spec in specs:
                    difference = comparison.result(spec, "champion", None).difference
                    if difference is not None:
                        gain = improvement(spec, difference)
                        judged[spec.name] += 1
                        above[spec.name] += gain.low > 0
                        below[spec.name] += gain.high < 0
            for name, line in cells.items():
                line.append(f"{above[name] / judged[name]:.1%} / {below[name] / judged[name]:.1%}")
        for name, line in cells.items():
            print(f"| {name} | " + " | ".join(line) + " |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
