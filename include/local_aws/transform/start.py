"""Transform jobs that another job did itself."""

from collections.abc import Mapping
from typing import Any

from include.local_aws.sagemaker import jobs
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Record

KIND = "transform"


def insert_finished(
    services: Services,
    region: str,
    *,
    name: str,
    request: Mapping[str, Any],
    tags: Mapping[str, str],
    started: float,
    ended: float,
    status: str = "Completed",
    failure: str | None = None,
    automl_job_arn: str | None = None,
) -> Record:
    """A transform that another job did itself, as the job that AWS would have run for it; raises `ResourceInUse`.

    Times are epoch seconds.
    """
    body = {
        "request": {key: value for key, value in request.items() if key != "Tags"},
        "created": started,
        "started": started,
        "ended": ended,
        "failure": failure,
        "automl_job_arn": automl_job_arn,
    }
    return jobs.record(services.store, KIND, region, name, status, body, tags, parent=automl_job_arn)
