"""AWS through a pipeline's Airflow connection: clients that are kept, and what goes wrong in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from automl_retraining.core.config import Deployment, Pipeline
from automl_retraining.core.errors import ConfigError, StorageError
from automl_retraining.sagemaker import failures, storage
from automl_retraining.ui.cache import Cache

CONNECTIONS = 8
"""Connections that a client keeps open: as many as threads read at once. More would not read much faster, for parsing
answers holds Python's lock, and Airflow's own requests would wait longer for it."""

_CLIENT_AGE = 600
"""Seconds after which the connection is read again: its password may have been changed."""

Make = Callable[[str, Pipeline], Any]
"""Makes a boto3 client: the service's name, the pipeline."""


class AwsError(Exception):
    """AWS does not answer, refuses, or the connection cannot ask it. The message is for the page."""


def connection_client(service: str, pipeline: Pipeline) -> Any:
    """A client with the credentials, region and endpoint of the pipeline's Airflow connection."""
    from automl_retraining.operators._aws import client

    return client(service, conn_id=pipeline.aws.conn_id, region=pipeline.aws.region, connections=CONNECTIONS)


class Clients:
    """boto3 clients, one per service, connection and region. Clients may be used by several threads."""

    def __init__(self, make: Make = connection_client) -> None:
        self._make = make
        self._kept: Cache[Any] = Cache(size=64, max_age=_CLIENT_AGE)

    def of(self, service: str, pipeline: Pipeline) -> Any:
        """The client of that service."""
        key = (service, pipeline.aws.conn_id, pipeline.aws.region)
        with in_words(f"use the connection {pipeline.aws.conn_id}"):
            return self._kept.get(key, lambda: self._make(service, pipeline))


def bucket_of(pipeline: Pipeline) -> str:
    """The bucket of the pipeline's run folders.

    Raises:
        AwsError: none is set.
    """
    try:
        return Deployment.from_environment().bucket_of(pipeline)
    except ConfigError as error:
        raise AwsError(f"{error}, also in the environment of Airflow's api-server") from error


@contextmanager
def in_words(doing: str) -> Iterator[None]:
    """Turn what boto3, S3 and Airflow's connections raise into an ``AwsError``; that an object is missing passes."""
    from airflow.sdk.exceptions import AirflowException
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (AwsError, storage.ObjectMissing):
        raise
    except StorageError as error:
        raise AwsError(str(error)) from error
    except (ClientError, BotoCoreError) as error:
        raise AwsError(failures.sentence(error, doing)) from error
    except AirflowException as error:
        raise AwsError(f"expected to {doing}, Airflow says: {error}") from error
