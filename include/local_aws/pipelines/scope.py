"""What the expressions of one execution refer to: its parameters, itself, and the steps that have run."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from include.local_aws.pipelines import records
from include.local_aws.pipelines.definition import Definition
from include.local_aws.pipelines.expressions import ExpressionError
from include.local_aws.pipelines.kinds import JOBS
from include.local_aws.pipelines.performing import perform
from include.local_aws.s3.client import S3InputError
from include.local_aws.sagemaker.call import Call
from include.local_aws.store import Record

Json = Any

_REPORTS = {
    "ExplainabilityJsonReportPath": ("Explainability", "analysis.json"),
    "ModelInsightsJsonReportPath": ("ModelInsights", "statistics.json"),
}
"""Properties of an AutoML step beside its job's description: where the reports of the best candidate are."""


class ExecutionScope:
    """Implements `expressions.Scope`. `resources` are the names of what the steps have started, by step."""

    def __init__(
        self,
        call: Call,
        record: Record,
        definition: Definition,
        parameters: Mapping[str, Json],
        resources: Mapping[str, str],
    ) -> None:
        self._call = call
        self._record = record
        self._definition = definition
        self._parameters = parameters
        self._resources = resources
        self._described: dict[str, Json] = {}

    def parameter(self, name: str) -> Json:
        """As in the protocol."""
        return self._parameters[name]

    def variable(self, name: str) -> str:
        """As in the protocol. Times are ISO 8601."""
        record = self._record
        match name:
            case "PipelineName":
                return str(record.parent)
            case "PipelineArn":
                return records.arn(record.region, str(record.parent))
            case "PipelineExecutionId":
                return records.execution_id(record.name)
            case "PipelineExecutionArn":
                return records.arn(record.region, record.name)
            case "StartDateTime":
                return _iso(record.created)
            case "CurrentDateTime":
                return _iso(datetime.now(UTC).timestamp())
        kind = name.removesuffix("JobName")
        found = [self._resources[each.name] for each in self._definition.steps.values()
                 if each.type == kind and each.name in self._resources]  # fmt: skip
        if not found:
            raise ExpressionError(f"Execution.{name}: no {kind} step has run yet.")
        return found[-1]

    def properties(self, step: str) -> Json:
        """As in the protocol."""
        if step not in self._described:
            self._described[step] = self._describe(step)
        return self._described[step]

    def forget(self, step: str) -> None:
        """A step has changed: it is described again when it is asked for."""
        self._described.pop(step, None)

    def _describe(self, step: str) -> Json:
        name = self._resources.get(step)
        if name is None:
            raise ExpressionError(f"The step {step} has no properties: it has started nothing.")
        kind = self._definition.steps[step].type
        if kind == "Model":
            return perform(self._call, "DescribeModel", {"ModelName": name})
        if kind == "RegisterModel":
            return perform(self._call, "DescribeModelPackage", {"ModelPackageName": name})
        job = JOBS[kind]
        described = perform(self._call, job.describe, {job.name: name})
        if kind == "Tuning":
            best_first = {"SortBy": "FinalObjectiveMetricValue", "SortOrder": _best_first(described), "MaxResults": 50}
            listed = perform(self._call, "ListTrainingJobsForHyperParameterTuningJob", {job.name: name, **best_first})
            described["TrainingJobSummaries"] = listed["TrainingJobSummaries"]
        if kind == "AutoML":
            described["BestCandidateProperties"] = _report_paths(described)
        return described

    def property_file(self, step: str, name: str) -> Json:
        """As in the protocol."""
        output, path = self._definition.steps[step].files[name]
        outputs = self.properties(step).get("ProcessingOutputConfig", {}).get("Outputs", [])
        for each in outputs:
            if each["OutputName"] == output:
                return self.document(f"{each['S3Output']['S3Uri'].rstrip('/')}/{path}")
        raise ExpressionError(
            f"The step {step} has no output named {output!r}, where its property file {name} should be."
        )

    def document(self, uri: str) -> Json:
        """As in the protocol."""
        try:
            return json.loads(self._call.services.s3.read(uri))
        except S3InputError as error:
            raise ExpressionError(f"Expected a JSON file. {error}") from error
        except ValueError as error:
            raise ExpressionError(f"Expected JSON in {uri}: {error}.") from error


def _best_first(described: Mapping[str, Json]) -> str:
    """Best first is from the least up where the objective is minimised."""
    config = described["HyperParameterTuningJobConfig"].get("HyperParameterTuningJobObjective")
    if config is None:
        definitions = described.get("TrainingJobDefinitions") or [described.get("TrainingJobDefinition", {})]
        config = definitions[0].get("TuningObjective", {})
    return "Ascending" if config.get("Type") == "Minimize" else "Descending"


def _report_paths(described: Mapping[str, Json]) -> dict[str, str]:
    properties = described.get("BestCandidate", {}).get("CandidateProperties", {})
    places = properties.get("CandidateArtifactLocations", {})
    return {member: f"{places[key].rstrip('/')}/{file}" for member, (key, file) in _REPORTS.items() if places.get(key)}


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
