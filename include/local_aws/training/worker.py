"""What the process of a training job runs: the image's own training, or the request's entrypoint."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from include.local_aws import images
from include.local_aws.jobs import container, programs
from include.local_aws.sagemaker import names


def main(root: str) -> None:
    """Train in the directory `root`, which stands for ``/opt/ml``, as ``job.json`` there says."""
    directory = Path(root)
    job: dict[str, Any] = json.loads((directory / "job.json").read_text("utf-8"))
    request = job["request"]
    environment = {
        **request.get("Environment", {}),
        "TRAINING_JOB_NAME": request["TrainingJobName"],
        "TRAINING_JOB_ARN": names.arn("training", job["region"], request["TrainingJobName"]),
        "AWS_REGION": job["region"],
    }
    specification = request["AlgorithmSpecification"]
    if "ContainerEntrypoint" in specification:
        command = [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", ())]
        container.enter(directory)
        programs.run(command, programs.environment(environment), str(container.OPT_ML))
    os.environ.update(environment)
    training = images.training(specification["TrainingImage"])
    assert training is not None  # the request was refused otherwise
    try:
        training.train(directory)
    except images.AlgorithmError as error:
        print(f"{error.code}: {error}", flush=True)
        (directory / "output" / "failure").write_text(f"{error.code}: {error}, exit code: 1", encoding="utf-8")
        sys.exit(1)
