"""A tuning job over several candidates' training job definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from .jobs import JobFailed, completed


@dataclass(frozen=True)
class HyperparameterTuner:
    """A tuning job over the training job definitions of several candidates."""

    tuning_job_name: str
    definitions: Mapping[str, Mapping[str, Any]]
    objectives: Mapping[str, str]
    objective_type: str
    max_jobs: int
    max_parallel_jobs: int

    def fit(self, inputs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Start the tuning job."""
        boto3.client("sagemaker").create_hyper_parameter_tuning_job(
            HyperParameterTuningJobName=self.tuning_job_name,
            HyperParameterTuningJobConfig={
                "Strategy": "Bayesian",
                "ResourceLimits": {
                    "MaxNumberOfTrainingJobs": self.max_jobs,
                    "MaxParallelTrainingJobs": self.max_parallel_jobs,
                },
            },
            TrainingJobDefinitions=[
                {
                    **definition,
                    "TuningObjective": {"Type": self.objective_type, "MetricName": self.objectives[name]},
                    "InputDataConfig": inputs[name],
                }
                for name, definition in self.definitions.items()
            ],
        )

    def wait(self) -> None:
        """Wait until the tuning job is over; raises `JobFailed`."""
        sagemaker = boto3.client("sagemaker")
        name = self.tuning_job_name
        completed(
            lambda: sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name),
            "HyperParameterTuning",
        )

    def best_training_job(self) -> str:
        """The name of the best training job; raises `JobFailed` where none has completed."""
        sagemaker = boto3.client("sagemaker")
        name = self.tuning_job_name
        answer = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
        if "BestTrainingJob" not in answer:
            raise JobFailed(f"The tuning job {name} has no completed training job.")
        return str(answer["BestTrainingJob"]["TrainingJobName"])

    def training_jobs(self) -> list[dict[str, Any]]:
        """All of its training jobs, as ListTrainingJobsForHyperParameterTuningJob tells them."""
        sagemaker = boto3.client("sagemaker")
        pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
        return [
            job
            for page in pages.paginate(HyperParameterTuningJobName=self.tuning_job_name)
            for job in page["TrainingJobSummaries"]
        ]

    def model_data(self, training_job_name: str) -> str:
        """Where a training job has left its model."""
        answer = boto3.client("sagemaker").describe_training_job(TrainingJobName=training_job_name)
        return str(answer["ModelArtifacts"]["S3ModelArtifacts"])
