"""The candidates that were selected, and the steps that they go through together."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .candidate import AutoMLLocalCandidate, AutoMLLocalRunConfig
from .jobs import JobFailed, resources
from .tuner import HyperparameterTuner


class AutoMLInteractiveRunner:
    """The candidates that were selected, and the steps that they go through."""

    def __init__(self, local_run_config: AutoMLLocalRunConfig) -> None:
        self.config = local_run_config
        self.candidates: dict[str, AutoMLLocalCandidate] = {}

    def select_candidate(self, candidate_definition: Mapping[str, Any]) -> None:
        """Add a candidate, or replace the one of the same data transformer and algorithm."""
        candidate = AutoMLLocalCandidate(candidate_definition, self.config)
        self.candidates[candidate.name] = candidate

    def display_candidates(self) -> None:
        """Print the candidates that are selected."""
        for candidate in self.candidates.values():
            print(f"{candidate.name}: {candidate.transformer['name']}.py, then {candidate.algorithm['name']}")

    def fit_data_transformers(self, parallel_jobs: int = 2) -> None:
        """Fit all data transformers; those that fail are told, and left out from here on.

        Raises:
            JobFailed: none could be fitted.
        """
        with ThreadPoolExecutor(parallel_jobs) as pool:
            futures = {name: pool.submit(candidate.fit_data_transformer) for name, candidate in self.candidates.items()}
        errors = {name: error for name, future in futures.items() if (error := future.exception()) is not None}
        for name, error in errors.items():
            print(f"{name}: {error}")
        if len(errors) == len(futures):
            raise JobFailed(f"No data transformer could be fitted: {next(iter(errors.values()), 'none is selected')}")
        print(f"fitted the data transformers of {len(futures) - len(errors)} candidates")

    def prepare_multi_algo_parameters(
        self,
        objective_metrics: Mapping[str, str],
        static_hyperparameters: Mapping[str, Mapping[str, str]],
        hyperparameters_search_ranges: Mapping[str, Mapping[str, Any]],
    ) -> dict[str, Any]:
        """The training job definitions of a tuning job over all fitted candidates, and their objectives."""
        definitions = {}
        for name, candidate in self._fitted().items():
            algorithm = candidate.algorithm
            ranges: dict[str, list[dict[str, Any]]] = {}
            for parameter, each in hyperparameters_search_ranges[algorithm["name"]].items():
                ranges.setdefault(each.kind, []).append(each.described(parameter))
            definitions[name] = {
                "DefinitionName": name,
                "RoleArn": self.config.role,
                "AlgorithmSpecification": {
                    "TrainingImage": self.config.base_automl_job_config["algo_image_uris"][algorithm["name"]],
                    "TrainingInputMode": "File",
                },
                "StaticHyperParameters": {
                    **static_hyperparameters[algorithm["name"]],
                    **algorithm.get("candidate_specific_static_hyperparameters", {}),
                },
                "HyperParameterRanges": ranges,
                "OutputDataConfig": {"S3OutputPath": f"{self.config.output}/multi-algo-tuning/{name}"},
                "ResourceConfig": resources(algorithm["training_resource_config"]),
                "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
                **self.config.secured(),
            }
        objectives = {name: objective_metrics[each.algorithm["name"]] for name, each in self._fitted().items()}
        return {"definitions": definitions, "objectives": objectives}

    def prepare_multi_algo_inputs(self) -> dict[str, list[dict[str, Any]]]:
        """The channels of each fitted candidate's training jobs."""
        return {name: candidate.inputs() for name, candidate in self._fitted().items()}

    def choose_candidate(self, tuner: HyperparameterTuner, training_job_name: str) -> AutoMLLocalCandidate:
        """The candidate that one of the tuner's training jobs belongs to."""
        definition = next(
            job["TrainingJobDefinitionName"]
            for job in tuner.training_jobs()
            if job["TrainingJobName"] == training_job_name
        )
        return self.candidates[definition]

    def _fitted(self) -> dict[str, AutoMLLocalCandidate]:
        return {name: candidate for name, candidate in self.candidates.items() if candidate.trained}
