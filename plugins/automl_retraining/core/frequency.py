"""How often a schedule runs, and how many false promotions that allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.metric_table import decimals, number
from automl_retraining.core.trainer_specs import Schedule

WITHOUT_A_CLOCK = 52
"""Runs that the number is stated for where no cron line says how many there are."""
_MOST_COUNTED = 1000
_FOUR_YEARS = timedelta(days=4 * 365 + 1)
_FROM = datetime(2026, 1, 1, tzinfo=UTC)


def runs_a_year(schedule: Schedule) -> float | None:
    """Runs in 365 days of a cron line; None where runs start by hand or by new data.

    Counted over four years from a fixed day, so that it does not hang on today; of a busy line, from 1,000 runs.
    """
    if schedule.cron is None:
        return None
    from croniter import croniter  # type: ignore[import-untyped]  # Airflow's own; only a cron line needs it

    ticks, tick = croniter(schedule.cron, _FROM), _FROM
    for count in range(_MOST_COUNTED):
        tick = ticks.get_next(datetime)
        if tick - _FROM > _FOUR_YEARS:
            return count / 4
    return _MOST_COUNTED * (timedelta(days=365) / (tick - _FROM))


def false_promotions(policy: GatePolicy, runs: float | None) -> str:
    """A sentence: the share of runs that may promote a challenger which truly is only at the margin, and the number.

    Each decision reads one end of a two-sided interval, so its share is (1 - confidence) / 2.
    """
    share = (1 - policy.confidence) / 2
    margin = number(policy.margin, max(decimals(policy.margin), 1))
    if policy.mode == "non_inferiority":
        who = f"worse by the margin of {margin}, and so just too much,"
    else:
        who = f"better by just the margin of {margin}" if policy.margin else "no better than the champion"
    count = WITHOUT_A_CLOCK if runs is None else runs
    shown = f"{count:,.0f}" if count >= 10 else f"{count:.3g}"
    about = f"{shown} runs (no clock starts them)" if runs is None else f"the {shown} runs a year of this schedule"
    return (
        f"A challenger that truly is {who} is promoted in at most {100 * share:.3g} % of runs: in {about} at most "
        f"{share * count:.2g} false promotions are to be expected, if every challenger were such a one."
    )
