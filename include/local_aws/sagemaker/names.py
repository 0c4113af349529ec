"""ARNs, and the sentences in which SageMaker says that a thing exists or does not."""

import re

from include.local_aws import ACCOUNT
from include.local_aws.wire.errors import ResourceInUse, ResourceNotFound, ValidationException

RESOURCES = {
    "automl": "automl-job",
    "transform": "transform-job",
    "model": "model",
    "endpoint": "endpoint",
    "endpoint-config": "endpoint-config",
}
"""Kinds in the store, with the word that ARNs use."""

_WORDS = {"endpoint-config": "endpoint configuration"}
_ARN = re.compile(r"arn:aws[a-z\-]*:sagemaker:(?P<region>[a-z0-9\-]+):\d{12}:(?P<resource>[a-z\-]+)/(?P<name>.+)")


def arn(kind: str, region: str, name: str) -> str:
    """The Amazon resource name of a SageMaker resource."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT}:{RESOURCES[kind]}/{name}"


def of_arn(text: str) -> tuple[str, str, str]:
    """Kind, region and name of an ARN; raises `ValidationException` for what isn't one of ours."""
    match = _ARN.fullmatch(text)
    kinds = {word: kind for kind, word in RESOURCES.items()}
    if match is None or match["resource"] not in kinds:
        known = ", ".join(RESOURCES.values())
        raise ValidationException(f"Expected the ARN of a SageMaker resource ({known}), found {text!r}.")
    return kinds[match["resource"]], match["region"], match["name"]


def could_not_find(kind: str, region: str, name: str) -> ValidationException:
    """AWS's answer for models, endpoints and their configurations."""
    return ValidationException(f'Could not find {_WORDS.get(kind, kind)} "{arn(kind, region, name)}".')


def already_existing(kind: str, region: str, name: str) -> ValidationException:
    """AWS's answer for models, endpoints and their configurations."""
    return ValidationException(f'Cannot create already existing {_WORDS.get(kind, kind)} "{arn(kind, region, name)}".')


def job_not_found(kind: str, name: str) -> ResourceNotFound | ValidationException:
    """AWS's answer for jobs.

    For all but AutoML it is a ValidationException, whatever the API reference says: the stock Airflow operators look
    before they create, and take any other code for a failure.
    """
    if kind == "automl":
        return ResourceNotFound(f"Amazon SageMaker can't find an AutoML job called {name}.")
    return ValidationException(f"Could not find requested job with name: {name}")


def job_in_use(kind: str, region: str, name: str) -> ResourceInUse:
    """AWS's answer for the name of any job there ever was."""
    return ResourceInUse(
        "Job name must be unique within an AWS account and region, and a job with this name already exists "
        f"({arn(kind, region, name)})"
    )
