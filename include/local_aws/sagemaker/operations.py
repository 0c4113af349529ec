"""Every SageMaker operation that there is here, by name."""

from collections.abc import Mapping
from typing import cast

from include.local_aws.automl import operations as automl
from include.local_aws.experiments import operations as experiments
from include.local_aws.hosting import configs
from include.local_aws.hosting import operations as hosting
from include.local_aws.notebooks import operations as notebooks
from include.local_aws.packages import operations as packages
from include.local_aws.pipelines import operations as pipelines
from include.local_aws.processing import operations as processing
from include.local_aws.sagemaker import models, tags
from include.local_aws.sagemaker.call import Operation
from include.local_aws.training import operations as training
from include.local_aws.transform import operations as transform
from include.local_aws.tuning import operations as tuning

OPERATIONS: Mapping[str, Operation] = cast(
    "Mapping[str, Operation]",
    {
        **automl.OPERATIONS,
        **models.OPERATIONS,
        **packages.OPERATIONS,
        **pipelines.OPERATIONS,
        **notebooks.OPERATIONS,
        **transform.OPERATIONS,
        **training.OPERATIONS,
        **processing.OPERATIONS,
        **tuning.OPERATIONS,
        **experiments.OPERATIONS,
        **configs.OPERATIONS,
        **hosting.OPERATIONS,
        **tags.OPERATIONS,
    },
)
