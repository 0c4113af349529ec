"""A constant load on an endpoint that asks, at every moment, which model serves and whether a gate let it through."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from typing import Any

from automl_retraining.sagemaker import tags
from automl_retraining.sagemaker.submit import read_tags

PAUSE = 0.5


@dataclass
class Watch:
    """Sends a row and reads what serves, twice a second, from the endpoint's first model on.

    A model was let through when the run named in its tags has a ``decision.json`` that promotes it, and had it when the
    model was first seen to serve.
    """

    stack: Any
    endpoint: str
    row: bytes
    looks: int = 0
    answered: int = 0
    refused: list[str] = field(default_factory=list)
    """Requests that the endpoint did not answer, as sentences."""
    unpassed: list[str] = field(default_factory=list)
    """Moments in which a model served that no gate had let through."""
    models: list[str] = field(default_factory=list)
    """Each model that served, in order."""
    broken: list[str] = field(default_factory=list)
    """Why the watch itself failed: then it proves nothing."""
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._follow, name=f"watch {self.endpoint}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(60)

    def _follow(self) -> None:
        sm, s3, runtime = (self.stack.aws_client(name) for name in ("sagemaker", "s3", "sagemaker-runtime"))
        try:
            while not self._over.wait(PAUSE):
                self._look(sm, s3, runtime)
        except Exception as error:  # noqa: BLE001 - whatever it is, the suite must hear of it
            self.broken.append(f"{self.endpoint}: {type(error).__name__}: {error}")

    def _look(self, sm: Any, s3: Any, runtime: Any) -> None:
        from botocore.exceptions import ClientError

        try:
            endpoint = sm.describe_endpoint(EndpointName=self.endpoint)
        except ClientError as error:
            if "Could not find" in str(error) and not self.models:
                return
            raise
        if endpoint["EndpointStatus"] == "Creating" or not endpoint.get("ProductionVariants"):
            return
        self.looks += 1
        config = sm.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
        for variant in config["ProductionVariants"]:
            if variant["ModelName"] not in self.models[-1:]:
                self.models.append(variant["ModelName"])
                if why := self._not_passed(sm, s3, variant["ModelName"]):
                    self.unpassed.append(why)
        try:
            runtime.invoke_endpoint(EndpointName=self.endpoint, ContentType="text/csv", Body=self.row)["Body"].read()
            self.answered += 1
        except ClientError as error:
            self.refused.append(f"{self.endpoint}: {error}")

    def _not_passed(self, sm: Any, s3: Any, model: str) -> str:
        """Why the model must not serve, empty where it may."""
        folder = read_tags(sm, sm.describe_model(ModelName=model)["ModelArn"]).get(tags.RUN_FOLDER, "")
        bucket, _, key = folder.removeprefix("s3://").partition("/")
        decision: dict[str, Any] = {}
        with contextlib.suppress(s3.exceptions.NoSuchKey):
            decision = json.loads(s3.get_object(Bucket=bucket, Key=f"{key}/decision.json")["Body"].read())
        if decision.get("verdict") == "promote" and decision.get("challenger") == model:
            return ""
        return f"{self.endpoint} served {model}: {folder}/decision.json says {decision.get('verdict', 'nothing')}"
