"""Whether the account has what the run needs, before anything is paid for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from automl_retraining.core.config import Pipeline
from automl_retraining.core.errors import ConfigError, PreflightFailed
from automl_retraining.core.section import Trainer
from automl_retraining.operators._aws import fail_for_good, hasty_clients
from automl_retraining.operators.base import SageMakerOperator
from automl_retraining.sagemaker import preflight, quotas, storage, tags

if TYPE_CHECKING:
    from airflow.sdk import Context


class PreflightOperator(SageMakerOperator):
    """Look at role, bucket, KMS key, quotas, endpoint and package group; say everything that is missing at once.

    What the credentials may not look at, and what the service does not answer, is a warning.

    Args:
        pipeline: The model kept fresh.
        trainer: The way to retrain, which says which instances are asked for.
        kwargs: The base's.

    XCom: the warnings.

    Raises:
        PreflightFailed: something is missing; a sentence for each.
    """

    def __init__(self, *, pipeline: Pipeline, trainer: Trainer, **kwargs: Any) -> None:
        super().__init__(pipeline=pipeline, **kwargs)
        self.trainer = trainer

    @fail_for_good("preflight")
    def execute(self, context: Context) -> list[str]:
        """All checks at the same time."""
        unset, checks = self._checks(context)
        found = [*unset, *preflight.all_of(checks)]
        warnings = [finding.sentence for finding in found if not finding.missing]
        for sentence in warnings:
            self.log.warning("%s", sentence)
        lacking = [finding.sentence for finding in found if finding.missing]
        if lacking:
            count = "one thing is" if len(lacking) == 1 else f"{len(lacking)} things are"
            raise PreflightFailed(
                f"{count} missing, and nothing was started:\n" + "\n".join(f"- {sentence}" for sentence in lacking)
            )
        self.log.info("role, bucket, KMS key, quotas, endpoint and package group: nothing is missing")
        return warnings

    def _checks(self, context: Context) -> tuple[list[preflight.Finding], list[Callable[[], list[preflight.Finding]]]]:
        """What is not even set, and the checks of what is."""
        pipeline, aws, sm, s3 = self.pipeline, self.pipeline.aws, self.sm, self.s3
        region = str(sm.meta.region_name)
        iam, kms, service_quotas = hasty_clients("iam", "kms", "service-quotas", conn_id=aws.conn_id, region=aws.region)
        unset: list[preflight.Finding] = []
        checks: list[Callable[[], list[preflight.Finding]]] = []
        bucket = self._set(unset, self.deployment.bucket_of)
        role = self._set(unset, self.deployment.role_of)
        if role:
            checks.append(lambda: preflight.role(iam, role, bucket))
        if aws.kms_key:
            key = aws.kms_key
            checks.append(lambda: preflight.kms_key(kms, key))
        checks.append(
            lambda: preflight.endpoint_free(
                sm, pipeline.endpoint_name, adopt=pipeline.endpoint.adopt, pipeline=pipeline.name
            )
        )
        if bucket:
            folder = self.run_folder(context)
            checks.append(lambda: preflight.bucket(s3, bucket, region, folder))
            uri = storage.join(f"s3://{bucket}", pipeline.name, "state", "quota_codes.json")
            needs = quotas.needs(pipeline, self.trainer)
            checks.append(lambda: quotas.check(service_quotas, sm, s3, needs, codes_uri=uri, region=region))
            if pipeline.registry.enabled:
                own, adopt = tags.as_mapping(self.run_tags(context)), pipeline.registry.adopt
                checks.append(lambda: preflight.group_free(sm, pipeline.package_group, own, adopt=adopt))
        return unset, checks

    def _set(self, unset: list[preflight.Finding], read: Callable[[Pipeline], str]) -> str | None:
        try:
            return read(self.pipeline)
        except ConfigError as error:
            unset += preflight.missing(str(error))
            return None
