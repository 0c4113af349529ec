"""Secondary statuses go forward, within their mode."""

from botocore.model import StringShape

from include.local_aws.automl.statuses import FINAL, ORDER, advances
from include.local_aws.wire.model import service


def test_every_status_is_one_that_the_service_model_has() -> None:
    shape = service().shape_for("AutoMLJobSecondaryStatus")
    assert isinstance(shape, StringShape)
    assert {*FINAL, *ORDER["ENSEMBLING"], *ORDER["HYPERPARAMETER_TUNING"]} <= set(shape.enum)


def test_statuses_never_go_back() -> None:
    assert advances("HYPERPARAMETER_TUNING", "AnalyzingData", "ModelTuning")
    assert not advances("HYPERPARAMETER_TUNING", "ModelTuning", "AnalyzingData")
    assert not advances("ENSEMBLING", "TrainingModels", "TrainingModels")


def test_a_mode_emits_its_own_statuses_only_once_it_is_known() -> None:
    assert not advances("ENSEMBLING", "AnalyzingData", "ModelTuning")
    assert not advances("HYPERPARAMETER_TUNING", "AnalyzingData", "TrainingModels")
    assert advances(None, "Starting", "AnalyzingData")
