"""What a person is asked, what their answer covers, and how the outcome says it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from automl_retraining.core import approval as words
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.records import (
    Answer,
    Approval,
    Decision,
    Evaluation,
    Interval,
    MetricResult,
    ModelRef,
    Rule,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def decision(verdict: str = "doubt", approval: str = "on_doubt", **changes: Any) -> Decision:
    """A decision under that policy; m2 against m1."""
    result = {"promote": "pass", "keep": "fail", "doubt": "doubt"}[verdict]
    fields = {
        "pipeline": "churn", "run_id": "r", "verdict": verdict, "sentence": f"{verdict}.", "reasons": ("x",),
        "rules": (
            Rule(name="leakage", result="pass", sentence="None leaked."),
            Rule(name="superiority", result=result, sentence="0.1 better."),
        ),
        "policy": GatePolicy.model_validate({"metric": "roc_auc", "floors": {"f1": 0.5}, "approval": approval}),
        "challenger": "m2", "champion": "m1", **changes,
    }  # fmt: skip
    return Decision.model_validate(fields)


def answer(word: Answer = "approved", **changes: Any) -> Approval:
    """Ada's, about m2 against m1."""
    fields = {"answer": word, "who": "ada", "answered": AT, "challenger": "m2", "champion": "m1",
              "answer_within": 86400, **changes}  # fmt: skip
    return Approval.model_validate(fields)


def evaluation(**changes: Any) -> Evaluation:
    """One metric with a champion, one without a value, one loss."""

    def ends(value: float) -> Interval:
        return Interval(value=value, low=value - 0.01, high=value + 0.01)

    metrics = (
        MetricResult(name="roc_auc", greater_is_better=True, challenger=ends(0.9), champion=ends(0.88),
                     difference=ends(0.02)),
        MetricResult(name="log_loss", greater_is_better=False, challenger=ends(0.3), champion=ends(0.35),
                     difference=ends(-0.05)),
        MetricResult(name="f1", greater_is_better=True, undefined="one class"),
    )  # fmt: skip
    fields = {
        "pipeline": "churn", "run_id": "r", "problem_type": "BinaryClassification", "target": "y", "rows": 1234,
        "units": 1234, "confidence": 0.95, "resamples": 200, "seed": 1, "challenger": ModelRef(model_name="m2"),
        "champion": ModelRef(model_name="m1"), "metrics": metrics, **changes,
    }  # fmt: skip
    return Evaluation.model_validate(fields)


def test_text_from_data_stays_text_in_markdown() -> None:
    """No table, link, heading, code, list or HTML comes out of a name."""
    assert words.escape("a|b") == "a\\|b"
    assert words.escape("<img src=x>") == "\\<img src=x\\>"
    assert words.escape("[x](javascript:y) `c` *d* _e_ # f") == "\\[x\\](javascript:y) \\`c\\` \\*d\\* \\_e\\_ \\# f"
    assert words.escape("back\\slash") == "back\\\\slash"
    assert words.escape("two\n\n| lines") == "two \\| lines"
    assert words.escape("http://evil.example www.evil.example") == "http\\://evil.example www\\.evil.example"
    assert [words.escape(text) for text in ("- a", "1. a", "12) a", "2 of 3")] == [
        "\\- a",
        "1\\. a",
        "12\\) a",
        "2 of 3",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(86400, "24 h"), (3600, "1 h"), (5400, "90 min"), (90, "90 s"), (10, "10 s")]
)
def test_a_duration_reads_as_it_was_meant(seconds: int, text: str) -> None:
    """In the largest unit that it is whole in."""
    assert words.within(seconds) == text


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), ("", None), (" \n", None), (3, None), ("a\n b", "a b"), ("x" * 501, "x" * 499 + "…")],
)
def test_a_comment_is_one_line_of_bounded_length(given: object, kept: str | None) -> None:
    """Whatever the API was sent."""
    assert words.comment(given) == kept


@pytest.mark.parametrize(
    ("verdict", "policy", "asked"),
    [("promote", "never", False), ("promote", "on_doubt", False), ("promote", "always", True),
     ("doubt", "never", False), ("doubt", "on_doubt", True), ("doubt", "always", True),
     ("keep", "never", False), ("keep", "on_doubt", False), ("keep", "always", False)],
)  # fmt: skip
def test_who_decides_for_each_verdict_and_policy(verdict: str, policy: str, asked: bool) -> None:
    """And without an answer only a promotion that nobody is asked about goes behind the endpoint."""
    made = decision(verdict, policy)
    assert words.asked(made) == asked
    goes = words.objection(made, None) is None
    assert goes == (verdict == "promote" and not asked)
    assert (words.objection(made, answer()) is None) == (asked or goes)


@pytest.mark.parametrize("word", ["refused", "timed_out"])
def test_no_other_answer_than_an_approval_puts_a_model_behind_the_endpoint(word: Answer) -> None:
    """A refusal, a time-out: the champion stays."""
    assert "the champion stays" in str(words.objection(decision(), answer(word)))


@pytest.mark.parametrize("verdict", ["doubt", "promote"])
def test_an_approval_covers_the_comparison_that_was_shown_and_no_other(verdict: str) -> None:
    """Not another champion, not another challenger, not an endpoint that is gone."""
    made = decision(verdict, "always")
    said = words.objection(made, answer(champion="m0"))
    assert said == (
        "ada approved m2 as compared with champion m0, but champion m1 serves by now, and nobody was asked about that: "
        "the champion stays."
    )
    assert "no champion" in str(words.objection(made, answer(champion=None)))
    assert words.objection(made, answer(challenger="m3")) is not None
    gone = words.objection(decision(verdict, "always", champion=None), answer())
    assert str(gone).endswith("nothing is deployed.")


def test_an_answer_is_told_with_who_gave_it_and_on_what_evidence() -> None:
    """Three words, three sentences."""
    assert words.answered(answer(comment="fine"), decision()) == (
        "Approved by ada in spite of the gate's doubt (“fine”). 0.1 better."
    )
    assert words.answered(answer(), decision("promote", "always")) == "Approved by ada. 0.1 better."
    assert words.answered(answer("refused"), decision()) == "Refused by ada, so the champion stays. 0.1 better."
    assert words.answered(answer("timed_out", who=None), decision(champion=None)) == (
        "Nobody answered within 24 h, so nothing is deployed. 0.1 better."
    )


def test_the_question_is_the_evidence_in_a_table_and_in_sentences() -> None:
    """Losses are turned so that better is positive; what has no value is a dash."""
    made = decision(
        rules=(
            Rule(name="superiority", result="doubt", sentence="Too few | rows."),
            Rule(name="check:identifier", result="info", sentence="id names the row."),
            Rule(name="floor:f1", result="pass", sentence="Above."),
        )
    )
    body = words.question(made, evaluation(), folder="s3://b/f", report="s3://b/f/report.html", until=AT)
    lines = body.splitlines()
    assert lines[0] == "**Too few \\| rows.**"
    assert "| **roc\\_auc** | 0.900 (0.890–0.910) | 0.880 (0.870–0.890) | 0.020 (0.010–0.030) |  |" in lines
    assert "| log\\_loss | 0.300 (0.290–0.310) | 0.350 (0.340–0.360) | 0.050 (0.040–0.060) |  |" in lines
    assert "| f1 | – | – | – | 0.5 |" in lines
    assert lines.index("**In doubt**") < lines.index("**Checks of the data**") < lines.index("**Passed**")
    assert "- report: s3\\://b/f/report.html" in lines
    assert lines[-1] == "Without an answer by 2026-01-02 03:04:05 UTC the champion stays."
    assert "1,234 test rows" in body
    assert words.subject(made) == "churn: put the new model behind the endpoint? (the gate says: in doubt)"


def test_a_first_model_is_shown_beside_its_baseline() -> None:
    """There is no champion to stay."""
    first = MetricResult(
        name="roc_auc", greater_is_better=True, challenger=Interval(value=0.7, low=0.6, high=0.8), baseline=0.5,
        against_baseline=Interval(value=0.2, low=0.1, high=0.3),
    )  # fmt: skip
    made = decision(champion=None)
    body = words.question(made, evaluation(champion=None, metrics=(first,)), folder="f", report="r", until=AT)
    assert "| **roc\\_auc** | 0.70 (0.60–0.80) | 0.50 | 0.20 (0.10–0.30) |  |" in body
    assert "- champion: none" in body
    assert body.endswith("nothing is deployed.")


def test_a_question_of_many_sentences_ends_somewhere() -> None:
    """The report has them all."""
    many = tuple(Rule(name=f"slice:a={n}", result="fail", sentence=f"Harm {n}.") for n in range(40))
    body = words.question(decision(rules=many), evaluation(), folder="f", report="r", until=AT)
    assert "- and 10 more: see the report" in body
    assert "Harm 30." not in body
