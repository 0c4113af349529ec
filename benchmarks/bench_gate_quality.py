"""How often the gate is right on simulated tables: ``python -m benchmarks.bench_gate_quality [--tables N] [--seed N]``.

Four questions (docs/gate-evidence.md has the answers): how often is an equal model promoted, how often do the intervals
hold the truth, how often is a better model found, and what does a year of weekly gates do to the champion. ``--into``
puts the tables between the two marks of a markdown file. ``--quick`` is a small size, to see that it runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one process per core instead

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "plugins"))

from automl_retraining.core.metric_table import metrics_for
from benchmarks.gate_simulation import Job, Tally, run
from benchmarks.simulated_models import FAMILIES
from benchmarks.year_of_gates import MARGIN, MODES, QUALITY, ROWS, SPREAD, Year, year

SIZES = (50, 200, 1_000, 10_000)
RESAMPLES = 1_000
AT_ONCE = 50
"""Tables of one job."""
MARKS = "<!-- tables begin -->", "<!-- tables end -->"
LEAST_JUDGED = 0.2
"""Share of the tables below which the gate mostly says "too few", and there is no coverage to speak of."""
DECLINE = 0.0005
REFERENCES = {"roc_auc": "DeLong", "accuracy": "McNemar", "log_loss": "paired t", "mae": "paired t", "rmse": "paired t"}

Tallies = dict[tuple[int, bool, int], Tally]


def simulate(pool: ProcessPoolExecutor, tables: int, seed: int, sizes: tuple[int, ...]) -> Tallies:
    """Tallies by family, whether the challenger is better, and rows."""
    problems = [(family, better) for family in range(len(FAMILIES)) for better in (False, True)]
    truths = list(pool.map(_truths, problems))
    jobs = [
        Job(family, rows, better, first, min(first + AT_ONCE, tables), seed, RESAMPLES, true)
        for rows in sorted(sizes, reverse=True)  # the dear ones first, so that no core is idle at the end
        for (family, better), true in zip(problems, truths, strict=True)
        for first in range(0, tables, AT_ONCE)
    ]
    found: Tallies = {(job.family, job.better, job.rows): Tally() for job in jobs}
    for future in as_completed([pool.submit(run, job) for job in jobs]):
        job, tally = future.result()
        found[job.family, job.better, job.rows].update(tally)
    return found


def _truths(problem: tuple[int, bool]) -> dict[str, tuple[float, float]]:
    return FAMILIES[problem[0]].truths(problem[1])


def _year(arguments: tuple[int, int, int, float]) -> Year:
    mode, seed, number, change = arguments
    return year(MODES[mode], (seed, round(-change * 1e6), number), change)


# ---------------------------------------------------------------- tables


def promoted_equal(found: Tallies, sizes: tuple[int, ...]) -> Iterator[str]:
    """Equal models under superiority."""
    yield from _head("problem", "metric", *(f"{rows:,} rows" for rows in sizes))
    for family, name in _metrics():
        cells = []
        for rows in sizes:
            tally = found[family, False, rows]
            cells.append(f"{_share(tally, name, 'promote', 'tables')} ({_share(tally, name, 'doubt', 'tables', 0)})")
        yield _line(FAMILIES[family].name, name, *cells)


def coverage(found: Tallies, sizes: tuple[int, ...], what: str) -> Iterator[str]:
    """Coverage of 95 % intervals where the gate does not say "too few"; in bold outside 93 to 97 %."""
    yield from _head("problem", "metric", *(f"{rows:,} rows" for rows in sizes))
    for family, name in _metrics():
        cells = []
        for rows in sizes:
            sides = [found[family, better, rows] for better in (False, True)]
            cells.append(" · ".join(_covered(tally, name, f"{what}, enough") for tally in sides))
        yield _line(FAMILIES[family].name, name, *cells)


def _covered(tally: Tally, name: str, what: str) -> str:
    judged = tally[name, what]
    if judged < LEAST_JUDGED * tally[name, "tables"]:
        return "–"
    below, above = tally[name, f"{what}: below"] / judged, tally[name, f"{what}: above"] / judged
    covered = 1 - below - above
    text = f"{100 * covered:.1f}"
    return f"{text if 0.93 <= covered <= 0.97 else f'**{text}**'} ({100 * below:.1f}/{100 * above:.1f})"


def power(found: Tallies, sizes: tuple[int, ...]) -> Iterator[str]:
    """Truly better models: the gate, the textbook's test, and two numbers held beside each other."""
    yield from _head("problem", "metric", "test", *(f"{rows:,} rows" for rows in sizes))
    for family, name in _metrics():
        if name not in REFERENCES or (family, name) == (len(FAMILIES) - 1, "roc_auc"):
            continue
        cells = []
        for rows in sizes:
            tally = found[family, True, rows]
            cells.append(
                " / ".join(_share(tally, name, what, "tables", 0) for what in ("promote", "reference", "plain"))
            )
        yield _line(FAMILIES[family].name, name, REFERENCES[name], *cells)


def years(pool: ProcessPoolExecutor, count: int, seed: int) -> Iterator[str]:
    """52 gates a year, under each mode."""
    yield from _head(
        "challengers", "mode", "promotions", "to a truly worse model", "champion after a year", "5 % of the years below"
    )
    for change, text in ((0.0, "constant average"), (-DECLINE, f"average falls by {DECLINE} a week")):
        for number, mode in enumerate(MODES):
            jobs = [(number, seed, one, change) for one in range(count)]
            found = list(pool.map(_year, jobs, chunksize=max(count // 20, 1)))
            mean: Callable[[list[float]], float] = statistics.fmean
            last = sorted(one.last - QUALITY for one in found)
            yield _line(
                text,
                mode.replace("_", "-"),
                f"{mean([one.promoted for one in found]):.1f}",
                f"{mean([one.worse for one in found]):.2f}",
                f"{mean(last):+.4f}",
                f"{last[len(last) // 20]:+.4f}",
            )


def _metrics() -> Iterator[tuple[int, str]]:
    for number, family in enumerate(FAMILIES):
        for spec in metrics_for(family.task.problem_type):
            yield number, spec.name


def _share(tally: Tally, name: str, what: str, of: str, places: int = 1) -> str:
    return f"{100 * tally[name, what] / tally[name, of]:.{places}f}" if tally[name, of] else "–"


def _head(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield "|---" * len(names) + "|"


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


# ---------------------------------------------------------------- the whole


def report(tables: int, seed: int, years_of: int, processes: int, sizes: tuple[int, ...]) -> str:
    """All four tables as markdown."""
    started = time.perf_counter()
    with ProcessPoolExecutor(processes) as pool:
        found = simulate(pool, tables, seed, sizes)
        yearly = list(years(pool, years_of, seed))
    judged = tuple(rows for rows in sizes if rows >= 200)
    parts = [
        f"{tables:,} tables of each kind, {RESAMPLES:,} resamples, seed {seed}; {years_of:,} years.\n",
        "### Equal models promoted under superiority, % (in brackets: doubt)\n",
        *promoted_equal(found, sizes),
        "\n### Coverage of the 95 % interval of the difference: equal · better challenger (missed below/above)\n",
        *coverage(found, judged, "difference"),
        "\n### Coverage of the 95 % interval of one model's value: equal · better challenger (missed below/above)\n",
        *coverage(found, judged, "single"),
        "\n### A better challenger found, %: gate / textbook's test / plain comparison of two numbers\n",
        *power(found, sizes),
        f"\n### A year of 52 gates on {ROWS:,} rows; accuracy {QUALITY} ± {SPREAD}, margin {MARGIN}\n",
        *yearly,
    ]
    print(f"{time.perf_counter() - started:.0f} s", file=sys.stderr)
    return "\n".join(parts) + "\n"


def main() -> None:
    """Simulate, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--years", type=int, default=100)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="40 tables, 4 years, no table of 10,000 rows")
    parser.add_argument("--into", type=Path, help="a markdown file with the two marks")
    arguments = parser.parse_args()
    if arguments.quick:
        text = report(40, arguments.seed, 4, arguments.processes, SIZES[:3])
    else:
        text = report(arguments.tables, arguments.seed, arguments.years, arguments.processes, SIZES)
    print(text)
    if arguments.into:
        page = arguments.into.read_text()
        before, rest = page.split(MARKS[0])
        arguments.into.write_text(before + MARKS[0] + "\n" + text + MARKS[1] + rest.split(MARKS[1])[1])


if __name__ == "__main__":
    main()
