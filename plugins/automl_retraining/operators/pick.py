"""Choose which candidate definitions are tuned: by the pipeline's rule, or by a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import RequestError
from automl_retraining.core.trainer_specs import CandidatesSpec
from automl_retraining.links.report import ReportLink
from automl_retraining.operators import arguments
from automl_retraining.operators._aws import fail_for_good
from automl_retraining.sagemaker.candidate_definitions import CandidateDefinitions, Definition

if TYPE_CHECKING:
    from airflow.sdk import Context

_MOST = 10
"""Training job definitions of one tuning job (API reference, CreateHyperParameterTuningJob)."""
_UNKNOWN = "(the candidates of the run's definitions)"
_ANSWER_KEY = "answer"
"""Where a person's choice stands in ``task_state_store``."""


class PickOperator(HITLOperator):
    """Returns (XCom) the names of the chosen candidates, in the notebook's order.

    A person answers under Browse, Required Actions, and may choose one candidate or several. Whoever does not answer in
    time leaves the choice to the rule: it is preselected, and what it chooses costs no more than the budget. An answer
    is kept, so that a retry does not ask again; clearing the task does.

    Args:
        pipeline: The model kept fresh: its ``candidates`` section has the rule and a person's time.
        definitions: The definitions task's XCom.
        pick: ``rule`` or ``person``; a template; by default the pipeline's.
        kwargs: The base's.

    Raises:
        AirflowFailException: the rule names a candidate that is not there, or a person chose more than fit.
    """

    template_fields: Sequence[str] = (*HITLOperator.template_fields, "definitions", "pick")
    operator_extra_links = (ReportLink(),)

    def __init__(self, *, pipeline: Pipeline, definitions: Any, pick: str | None = None, **kwargs: Any) -> None:
        super().__init__(
            subject=f"{pipeline.name}: which candidates are tuned?",
            options=[_UNKNOWN],
            multiple=True,
            response_timeout=timedelta(seconds=pipeline.candidates.answer_within),
            **kwargs,
        )
        self.pipeline = pipeline
        self.definitions = definitions
        self.pick = pick

    @fail_for_good("choosing candidates")
    def execute(self, context: Context) -> list[str]:
        """The rule's choice at once, or ask a person and wait without a worker slot."""
        found = self._offer()
        how = arguments.text(self.pick) or self.pipeline.candidates.pick
        if how not in ("rule", "person"):
            raise RequestError(f"pick: expected rule or person, found {how!r}")
        if how == "rule":
            chosen = list(self.defaults or ())
            self.log.info("the rule chose %s of %s", ", ".join(chosen), ", ".join(found.names))
            return chosen
        written: Any = context["task_state_store"].get(_ANSWER_KEY)
        # Clearing a task, and nothing else, raises the number of tries it may have.
        if written and written["max_tries"] == context["ti"].max_tries and set(written["chosen"]) <= set(found.names):
            self.log.info("chosen already: %s", ", ".join(written["chosen"]))
            return list(written["chosen"])
        super().execute(context)  # ends here: it raises what tells Airflow to wait
        raise AssertionError("expected Airflow to wait for a person")

    @fail_for_good("choosing candidates")
    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> list[str]:
        """A person answered, or the time is up and the preselected ones stand."""
        found = self._offer()
        answer = super().execute_complete(context, dict(event))
        asked = set(answer["chosen_options"])
        if not 1 <= len(asked) <= _MOST:
            raise RequestError(
                f"pick: expected 1 to {_MOST} candidates, which one tuning job takes, found {len(asked)}"
            )
        chosen = [name for name in found.names if name in asked]
        context["task_state_store"].set(_ANSWER_KEY, {"chosen": [*chosen], "max_tries": context["ti"].max_tries})
        who = "nobody answered in time, so the rule" if event.get("timedout") else _who(answer)
        self.log.info("%s chose %s of %s", who, ", ".join(chosen), ", ".join(found.names))
        return chosen

    def _offer(self) -> CandidateDefinitions:
        """What there is to choose from, with the rule's choice preselected; also when the task goes on later."""
        found = CandidateDefinitions.model_validate(self.definitions)
        self.options = list(found.names)
        self.defaults = list(by_rule(found.candidates, self.pipeline.candidates))
        self.body = table(found, self.defaults)
        return found


def by_rule(candidates: Sequence[Definition], spec: CandidatesSpec) -> tuple[str, ...]:
    """The names that the pipeline asks for, else the first definitions, each algorithm in turn.

    Raises:
        RequestError: a name that is not among them.
    """
    there = [each.name for each in candidates]
    strangers = [name for name in spec.names if name not in there]
    if strangers:
        raise RequestError(f"candidates.names: expected some of {', '.join(there)}, found {', '.join(strangers)}")
    if spec.names:
        return tuple(name for name in there if name in spec.names)
    by_algorithm: dict[str, list[str]] = {}
    for each in candidates:
        by_algorithm.setdefault(each.algorithm, []).append(each.name)
    in_turn = [name for names in zip_longest(*by_algorithm.values()) for name in names if name is not None]
    first = in_turn[: spec.max_picked]
    return tuple(name for name in there if name in first)


def table(definitions: CandidateDefinitions, rule: Sequence[str]) -> str:
    """The candidates in Markdown, for a person to choose from."""
    lines = [
        f"Autopilot job `{definitions.job_name}` defined {len(definitions.candidates)} candidates. Those you choose "
        f"are tuned together. Without an answer: {', '.join(rule)}.",
        "",
        "| candidate | algorithm | optimises | searched | what it is |",
        "|---|---|---|---|---|",
    ]
    for each in definitions.candidates:
        algorithm = definitions.algorithms[each.algorithm]
        title = " ".join(
            line.strip() for line in each.title.splitlines() if line.strip() and not line.startswith("#")
        ).replace("|", "\\|")
        lines.append(
            f"| `{each.name}` | {each.algorithm} | {algorithm.objective} | {', '.join(algorithm.ranges)} | {title} |"
        )
    return "\n".join(lines)


def _who(answer: Mapping[str, Any]) -> str:
    user = answer.get("responded_by_user")
    name = user.get("name") if isinstance(user, Mapping) else getattr(user, "name", None)
    return str(name or "a person")
