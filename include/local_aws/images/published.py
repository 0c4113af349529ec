"""Repositories of images that AWS publishes for SageMaker, so that one which isn't here is told from a misspelt one.

Source: the repository names in the SageMaker SDK's image tables (sagemaker 3.27).
"""

import re

_NAMES = re.compile(
    r"(?:sagemaker|huggingface|pytorch|tensorflow|mxnet|autogluon|djl|llama-cpp|smdistributed|stabilityai|vllm|sglang"
    r"|tei|ray|image-classification|detailed-profiler)(?:-[a-z0-9\-]+)?"
    r"|blazingtext|factorization-machines|forecasting-deepar|ipinsights|kmeans|knn|lda|linear-learner|ntm"
    r"|object-detection|object2vec|pca|randomcutforest|semantic-segmentation|seq2seq|whisperx|xgboost(?:-neo)?"
)
_REGISTRY = re.compile(
    r"\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9\-]+\.amazonaws\.com(?:\.cn)?/(?P<repository>[^:@]+)(?:[:@].*)?"
)


def is_published(image_uri: str) -> bool:
    """Whether the URI names a repository that AWS publishes, in a registry of some account."""
    match = _REGISTRY.fullmatch(image_uri)
    return match is not None and _NAMES.fullmatch(match["repository"]) is not None
