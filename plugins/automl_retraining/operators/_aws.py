"""AWS clients through the Airflow connection, and errors as Airflow understands them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from automl_retraining.core.errors import RetrainingError
from automl_retraining.sagemaker import failures

_LOG = logging.getLogger(__name__)


def client(service: str, *, conn_id: str, region: str | None = None, connections: int = 10, attempts: int = 5) -> Any:
    """A boto3 client with the connection's credentials, region and ``endpoint_url``.

    Calls are retried by botocore with backoff: ``attempts`` in all, fewer for who retries itself. What is submitted
    under a name of its own can be sent again without harm. ``connections`` is how many it keeps open, for callers with
    many threads.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from botocore.config import Config

    hook: Any = AwsGenericHook(
        aws_conn_id=conn_id,
        region_name=region,
        client_type=service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=connections,
        ),
    )
    return hook.get_conn()


def hasty_clients(*services: str, conn_id: str, region: str | None = None) -> list[Any]:
    """Clients of several services with one session, for looks that the task can do without: they give up soon.

    A network without a way to IAM must not hold up the run.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from botocore.config import Config

    config = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=3, read_timeout=10)
    hook: Any = AwsGenericHook(aws_conn_id=conn_id, region_name=region, client_type=services[0], config=config)
    session = hook.get_session(region_name=region)
    return [
        session.client(
            service,
            endpoint_url=hook.conn_config.get_service_endpoint_url(service_name=service),
            config=config,
            verify=hook.verify,
        )
        for service in services
    ]


@contextmanager
def fail_for_good(doing: str = "the task") -> Iterator[None]:
    """Turn errors into Airflow's own: what retrying cannot mend fails at once, without using up retries.

    As a context manager around the body, or as a decorator of ``execute``. The sentence is logged as a line of its own,
    above Airflow's traceback, which then has it once: where one of our errors becomes Airflow's, its frames are kept.
    """
    from airflow.sdk.exceptions import AirflowException, AirflowFailException
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except RetrainingError as error:
        _LOG.error("%s", error)
        if error.retryable:
            raise
        raise AirflowFailException(str(error)).with_traceback(error.__traceback__) from error.__cause__
    except (ClientError, BotoCoreError) as error:
        words = failures.sentence(error, doing)
        _LOG.error("%s", words)
        if failures.retryable(error):
            raise AirflowException(words) from error
        raise AirflowFailException(words) from error
