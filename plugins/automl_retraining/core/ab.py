"""Judging an A/B test: errors, latency and quality of two variants that answered different requests. Pure.

- Shares of errors: the difference with Newcombe's hybrid score interval (Newcombe 1998, method 10), which holds where
  there are few errors or none.
- Latency: CloudWatch keeps a statistic for each period, not the requests. Each period is one observation: the logarithm
  of the challenger's over the champion's, so that what slows both cancels; Student's t over the periods.
- While the test runs it is looked at again and again. Each look may raise a false alarm with only its part of the
  allowed probability (Bonferroni), so harm that ends a test early is no accident of looking often.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from automl_retraining.core.ab_records import Judgement, Quality, Traffic
from automl_retraining.core.ab_spec import FEWEST_PERIODS, ABSpec
from automl_retraining.core.intervals import interval, student_quantile, wilson
from automl_retraining.core.metric_table import decimals, number, span
from automl_retraining.core.records import Interval, Rule


def apart(one: Interval, other: Interval) -> Interval:
    """``one`` minus ``other``, of independent samples, from the interval of each.

    Squared distances to the ends add up, as variances do (Zou and Donner 2008, MOVER); of two Wilson intervals this is
    Newcombe's.
    """
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return interval(value, low, high)


def error_rise(errors: int, answers: int, base_errors: int, base_answers: int, confidence: float) -> Interval | None:
    """How much larger a share of errors is than another one; None without answers."""
    if not answers or not base_answers:
        return None
    # A period's sum may show an error before the invocation that it belongs to.
    mine = wilson(min(errors, answers), answers, confidence)
    return apart(mine, wilson(min(base_errors, base_answers), base_answers, confidence))


def latency_ratio(champion: Traffic, challenger: Traffic, confidence: float) -> Interval | None:
    """The challenger's latency over the champion's; None where fewer than five periods have both.

    The geometric mean of the periods' ratios, with Student's t interval of the mean of their logarithms.
    """
    base = {period.at: period.latency_ms for period in champion.periods if period.latency_ms}
    logs = [
        math.log(period.latency_ms / before)
        for period in challenger.periods
        if period.latency_ms and (before := base.get(period.at))
    ]
    if len(logs) < FEWEST_PERIODS:
        return None
    mean = statistics.fmean(logs)
    half = student_quantile((1 + confidence) / 2, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    ends = (math.exp(min(mean + sign * half, 700.0)) for sign in (-1, 1))
    return interval(math.exp(mean), *ends)


def harm(spec: ABSpec, champion: Traffic, challenger: Traffic) -> str | None:
    """Why the test must end now, in a sentence; None where nothing is proved against the challenger yet."""
    careful = 1 - (1 - spec.confidence) / spec.looks
    found = [rule.sentence for rule in _service(spec, champion, challenger, careful) if rule.result == "fail"]
    return " ".join(found) or None


def judge(
    spec: ABSpec,
    champion: Traffic,
    challenger: Traffic,
    quality: Quality | None,
    *,
    judged: datetime,
    harmed: str | None = None,
) -> Judgement:
    """What the evidence says at the end: any rule that fails withdraws the challenger, doubt goes by ``on_doubt``.

    Args:
        quality: what the labels say; None where the test asks for none.
        harmed: the harm that ended the test early.
    """
    rules = [*_harmed(harmed), _enough(spec, challenger), *_service(spec, champion, challenger, spec.confidence)]
    if spec.quality is not None:
        rules.append(_quality(spec, quality))
    failed = [rule.sentence for rule in rules if rule.result == "fail"]
    doubts = [rule.sentence for rule in rules if rule.result == "doubt"]
    verdict: Literal["promote", "withdraw"] = "promote"
    if failed:
        verdict, sentence = "withdraw", f"Withdrawn: {' '.join(failed)}"
    elif doubts:
        verdict = spec.on_doubt
        word = "Withdrawn" if verdict == "withdraw" else "Promoted"
        sentence = f"{word} on doubt (ab.on_doubt: {spec.on_doubt}): {' '.join(doubts)}"
    else:
        sentence = f"Promoted: over {challenger.invocations:,} requests nothing speaks against the challenger."
    return Judgement(
        verdict=verdict,
        sentence=sentence,
        rules=tuple(rules),
        champion=champion,
        challenger=challenger,
        quality=quality,
        judged=judged,
    )


def _harmed(said: str | None) -> Iterator[Rule]:
    if said is not None:
        yield Rule(name="ended_early", result="fail", sentence=said)


def _enough(spec: ABSpec, challenger: Traffic) -> Rule:
    found = f"the challenger answered {challenger.invocations:,} requests"
    if challenger.invocations >= spec.min_invocations:
        return Rule(name="invocations", result="pass", sentence=f"Enough was asked: {found}.")
    return Rule(
        name="invocations",
        result="doubt",
        sentence=f"Too little was asked: {found}, fewer than ab.min_invocations, {spec.min_invocations:,}.",
    )


def _service(spec: ABSpec, champion: Traffic, challenger: Traffic, confidence: float) -> Iterator[Rule]:
    for name, words in (("errors_5xx", "5xx"), ("errors_4xx", "4xx")):
        counts = getattr(challenger, name), challenger.invocations, getattr(champion, name), champion.invocations
        yield _errors(spec, name, words, counts, confidence)
    yield _latency(spec, latency_ratio(champion, challenger, confidence))


def _errors(spec: ABSpec, name: str, words: str, counts: tuple[int, int, int, int], confidence: float) -> Rule:
    rise = error_rise(*counts, confidence)
    if rise is None:
        return Rule(name=name, result="doubt", sentence=f"Answers {words} cannot be compared: one of the two has none.")
    bad, asked, base_bad, base_asked = counts
    limit = 100 * spec.max_error_rise
    low, high = 100 * rise.low, 100 * rise.high
    sentence = (
        f"{bad:,} of the challenger's {asked:,} answers were {words}, {base_bad:,} of the champion's {base_asked:,}: "
        f"a rise of {span(low, high, decimals(low, high))} percentage points; {limit:g} are allowed."
    )
    return Rule(name=name, result=_result(rise, spec.max_error_rise), sentence=sentence)


def _latency(spec: ABSpec, ratio: Interval | None) -> Rule:
    if ratio is None:
        return Rule(
            name="latency",
            result="doubt",
            sentence=f"Latencies cannot be compared: fewer than {FEWEST_PERIODS} periods have requests of both.",
        )
    limit = 1 + spec.max_latency_rise
    sentence = (
        f"The challenger's latency ({spec.latency_statistic}) was {number(ratio.value, 2)} times the champion's "
        f"({span(ratio.low, ratio.high, 2)}); {limit:g} times is allowed."
    )
    return Rule(name="latency", result=_result(ratio, limit), sentence=sentence)


def _quality(spec: ABSpec, quality: Quality | None) -> Rule:
    assert spec.quality is not None
    if quality is None or quality.improvement is None:
        why = (quality and quality.undefined) or "nothing is known of it"
        return Rule(name="quality", result="doubt", sentence=f"Quality cannot be compared: {why}.")
    gain, margin = quality.improvement, spec.quality.margin
    places = decimals(gain.low, gain.high)
    sentence = (
        f"In {quality.metric} the challenger is better by {number(gain.value, places)} "
        f"({span(gain.low, gain.high, places)}), on {quality.labelled_challenger:,} and {quality.labelled_champion:,} "
        f"labelled answers; it may be worse by {margin:g}."
    )
    worse = interval(-gain.value, -gain.high, -gain.low)
    return Rule(name="quality", result=_result(worse, margin), sentence=sentence)


def _result(rise: Interval, limit: float) -> Literal["pass", "fail", "doubt"]:
    """``fail`` where the rise is surely above the limit, ``pass`` where it surely is not."""
    if rise.low > limit:
        return "fail"
    return "pass" if rise.high <= limit else "doubt"
