"""Links on a task's page: the job in the AWS console, and its log in CloudWatch."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperatorLink


class ConsoleLink(BaseOperatorLink):
    """The job's page in the SageMaker console."""

    name = "SageMaker console"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The address, written when the task defers or ends; empty before, and on an AWS without a console."""
        return str(getattr(operator, "console_url", ""))


class LogLink(BaseOperatorLink):
    """The job's log in the CloudWatch console."""

    name = "CloudWatch log"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The address, written when the task defers or ends; empty before, and on an AWS without a console."""
        return str(getattr(operator, "log_url", ""))
