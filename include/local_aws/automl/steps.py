"""What a search did in one process, as the jobs that AWS runs for it: described, listed, and named by candidates.

A tuning's steps come from the search, whole requests but for what only the AutoML job's request says. An ensembling
candidate is one training job here, whose request is made from the candidate.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from include.local_aws.images.autopilot import uris
from include.local_aws.processing import start as processing
from include.local_aws.sagemaker import names
from include.local_aws.sagemaker.call import Services
from include.local_aws.training import start as training
from include.local_aws.transform import start as transform

_NAME_LIMIT = 63
_INSTANCE = "ml.m5.12xlarge"
_TYPES = {"processing": "AWS::SageMaker::ProcessingJob", "training": "AWS::SageMaker::TrainingJob"}
_NUMBER = re.compile(r"t\d+$")


class Steps:
    """The steps of one AutoML job."""

    def __init__(self, services: Services, region: str, job: str, request: Mapping[str, Any], output_uri: str) -> None:
        self._services = services
        self._region = region
        self._job = job
        self._request = request
        self._output_uri = output_uri
        self._arn = names.arn("automl", region, job)
        self._known: set[str] = set()

    def take_over(self, event: Mapping[str, Any]) -> None:
        """Keep a job that the search reports, its artifacts uploaded and its request's places in S3 told."""
        kind, name = event["kind"], event["name"]
        request = {**event["request"], **self._security(kind)}
        done = {"name": name, "tags": {}, "started": event["started"], "ended": event["ended"]}
        over = {"status": event["status"], "failure": event["failure"], "automl_job_arn": self._arn}
        match kind:
            case "model":
                self._services.store.insert("model", self._region, name, "", request)
            case "processing":
                processing.insert_finished(self._services, self._region, request=request, **done, **over)
            case "transform":
                transform.insert_finished(self._services, self._region, request=request, **done, **over)
            case "training":
                metrics = [(metric, value) for metric, value in event["metrics"]]
                training.insert_finished(
                    self._services,
                    self._region,
                    request=request,
                    metrics=metrics,
                    model_uri=event["model"],
                    **done,
                    **over,
                )
            case _:
                raise ValueError(f"the search reported a step of unknown kind {kind!r}")

    def _security(self, kind: str) -> dict[str, Any]:
        """What every job of an AutoML job has from its request."""
        role = {"model": {"ExecutionRoleArn": self._request["RoleArn"]}, "transform": {}}
        found: dict[str, Any] = role.get(kind, {"RoleArn": self._request["RoleArn"]})
        security = self._request.get("SecurityConfig", {})
        if kind in ("model", "training") and "VpcConfig" in security:
            found = {**found, "VpcConfig": security["VpcConfig"]}
        if kind == "training" and "EnableInterContainerTrafficEncryption" in security:
            wanted = security["EnableInterContainerTrafficEncryption"]
            found = {**found, "EnableInterContainerTrafficEncryption": wanted}
        return found

    def analysis(self, started: float, ended: float) -> None:
        """Keep the processing job in which an ensembling job's data were analysed."""
        name = self._name("db")
        inputs = [
            {
                "InputName": channel.get("ChannelType", "training"),
                "S3Input": {
                    "S3Uri": channel["DataSource"]["S3DataSource"]["S3Uri"],
                    "S3DataType": channel["DataSource"]["S3DataSource"]["S3DataType"],
                    "S3InputMode": "File",
                    "LocalPath": f"/opt/ml/processing/{channel.get('ChannelType', 'training')}",
                },
            }
            for channel in self._request["AutoMLJobInputDataConfig"]
        ]
        request = {
            "ProcessingJobName": name,
            "AppSpecification": {"ImageUri": uris.features(self._region)},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": _INSTANCE, "VolumeSizeInGB": 50}
            },
            "ProcessingInputs": inputs,
        }
        self.take_over(
            {"kind": "processing", "name": name, "request": request, "started": started, "ended": ended,
             "status": "Completed", "failure": None}
        )  # fmt: skip

    def of_ensembling(self, candidate: Mapping[str, Any], model_uri: str) -> list[dict[str, str]]:
        """An ensembling candidate's steps, kept when it is first reported; none for one that was never begun."""
        if candidate["EndTime"] <= candidate["CreationTime"]:
            return []
        number = _NUMBER.search(candidate["CandidateName"])
        name = self._name(number.group() if number else "t", candidate["CandidateName"])
        if name not in self._known:
            self._known.add(name)
            status = candidate["CandidateStatus"]
            measured = candidate.get("CandidateProperties", {}).get("CandidateMetrics", [])
            request = self._ensembling_request(name, candidate["CandidateName"])
            self.take_over(
                {
                    "kind": "training",
                    "name": name,
                    "request": request,
                    "started": candidate["CreationTime"],
                    "ended": candidate["EndTime"],
                    "status": status,
                    "failure": f"AlgorithmError: {candidate['FailureReason']}" if status == "Failed" else None,
                    "metrics": [[f"validation:{each['StandardMetricName']}", each["Value"]] for each in measured],
                    "model": model_uri,
                }
            )
        return [self._step("processing", self._name("db")), self._step("training", name)]

    def _ensembling_request(self, name: str, candidate: str) -> dict[str, Any]:
        channels = [
            {
                "ChannelName": channel.get("ChannelType", "training"),
                "DataSource": channel["DataSource"],
                "ContentType": channel.get("ContentType", "text/csv;header=present"),
                "CompressionType": channel.get("CompressionType", "None"),
            }
            for channel in self._request["AutoMLJobInputDataConfig"]
        ]
        tabular = self._request["AutoMLProblemTypeConfig"]["TabularJobConfig"]
        return {
            "TrainingJobName": name,
            "HyperParameters": {
                "candidate_name": candidate,
                "target_attribute_name": tabular["TargetAttributeName"],
            },
            "AlgorithmSpecification": {
                "TrainingImage": uris.ensemble_training(self._region),
                "TrainingInputMode": "File",
            },
            "InputDataConfig": channels,
            "OutputDataConfig": {"S3OutputPath": f"{self._output_uri}/sagemaker-automl-candidates/model"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": _INSTANCE, "VolumeSizeInGB": 50},
            "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        }

    def _name(self, what: str, *more: str) -> str:
        start = f"{self._job}-{what}-1-"
        digest = hashlib.sha256("\n".join([self._job, what, *more]).encode()).hexdigest()
        return start + digest[: min(27, _NAME_LIMIT - len(start))]

    def _step(self, kind: str, name: str) -> dict[str, str]:
        arn = names.arn(kind, self._region, name)
        return {"CandidateStepType": _TYPES[kind], "CandidateStepArn": arn, "CandidateStepName": name}
