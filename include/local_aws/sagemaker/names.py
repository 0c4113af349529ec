"""ARNs, and the sentences in which SageMaker says that a thing exists or does not."""

import re

from include.local_aws import ACCOUNT
from include.local_aws.images.published import is_published
from include.local_aws.wire.errors import (
    NotImplementedHere,
    ResourceInUse,
    ResourceNotFound,
    ValidationException,
    not_implemented,
)

RESOURCES = {
    "automl": "automl-job",
    "transform": "transform-job",
    "training": "training-job",
    "processing": "processing-job",
    "tuning": "hyper-parameter-tuning-job",
    "experiment": "experiment",
    "trial": "experiment-trial",
    "trial-component": "experiment-trial-component",
    "model": "model",
    "endpoint": "endpoint",
    "endpoint-config": "endpoint-config",
    "model-package-group": "model-package-group",
    "model-package": "model-package",
    "pipeline": "pipeline",
    "notebook": "notebook-instance",
}
"""Kinds in the store, with the word that ARNs use."""

_WORDS = {"endpoint-config": "endpoint configuration"}
_ECR = re.compile(
    r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9\-]+\.amazonaws\.com(\.cn)?/"
    r"[a-z0-9][a-z0-9._\-/]*(:[\w.\-]+)?(@sha256:[0-9a-f]{64})?"
)
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


def image_refused(uri: str, purpose: str, error: Exception) -> NotImplementedHere | ValidationException:
    """The answer for an image that isn't here; `error` tells what there is.

    Whatever has the form of an image in a registry of ECR could be run by AWS, so it is not implemented. AWS takes an
    image from nowhere else.
    """
    if not _ECR.fullmatch(uri):
        return ValidationException(f"Requested image {uri} not found. {error}")
    what = "the image" if is_published(uri) else "images that AWS does not publish, such as"
    return not_implemented(f"{what} {uri} {purpose}. {str(error).rstrip('.')}")


def job_not_found(kind: str, name: str) -> ResourceNotFound | ValidationException:
    """AWS's answer for jobs.

    For all but AutoML and tuning it is a ValidationException, whatever the API reference says
    (https://github.com/boto/boto3/issues/2808), and the stock Airflow operators rely on it.
    """
    match kind:
        case "automl":
            return ResourceNotFound(f"Amazon SageMaker can't find an AutoML job called {name}.")
        case "tuning":
            return ResourceNotFound(f"Amazon SageMaker can't find a tuning job called {name}. Type another name.")
        case "training":
            return ValidationException("Requested resource not found.")
    return ValidationException(f"Could not find requested job with name: {name}")


def job_in_use(kind: str, region: str, name: str) -> ResourceInUse:
    """AWS's answer for the name of any job there ever was."""
    if kind == "tuning":
        return ResourceInUse(
            f"A hyperparameter tuning job with the name, {name}, already exists. Choose a different name."
        )
    names, job = ("Training job names", "a training job") if kind == "training" else ("Job name", "a job")
    return ResourceInUse(
        f"{names} must be unique within an AWS account and region, and {job} with this name already exists "
        f"({arn(kind, region, name)})"
    )
