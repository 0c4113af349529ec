"""What a container finds in /opt/ml/input/config."""

from include.local_aws.training.config import files
from tests.support.trainings import channel, training_request


def test_the_hyperparameters_stay_texts_and_channels_tell_how_they_come() -> None:
    channels = [channel("train", "s3://bucket/a", source={"S3DataDistributionType": "ShardedByS3Key"})]
    channels += [channel("code", "s3://bucket/b", None, InputMode="FastFile")]
    found = files(training_request("it", {"num_round": 3}, InputDataConfig=channels))
    assert found["hyperparameters.json"] == {"num_round": "3"}
    assert found["inputdataconfig.json"] == {
        "train": {
            "ContentType": "text/csv",
            "TrainingInputMode": "File",
            "S3DistributionType": "ShardedByS3Key",
            "RecordWrapperType": "None",
        },
        "code": {
            "TrainingInputMode": "FastFile",
            "S3DistributionType": "FullyReplicated",
            "RecordWrapperType": "None",
        },
    }
    assert "checkpointconfig.json" not in found


def test_a_training_has_one_host_however_many_instances_are_asked_for() -> None:
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 3, "VolumeSizeInGB": 10}
    found = files(training_request("it", {}, ResourceConfig=resources, InputDataConfig=None))["resourceconfig.json"]
    assert (found["current_host"], found["hosts"]) == ("algo-1", ["algo-1"])
    group = {"InstanceType": "ml.c5.large", "InstanceCount": 2, "InstanceGroupName": "workers"}
    found = files(training_request("it", {}, ResourceConfig={"InstanceGroups": [group]}))["resourceconfig.json"]
    assert (found["current_group_name"], found["current_instance_type"]) == ("workers", "ml.c5.large")


def test_checkpoints_stand_below_opt_ml_unless_the_request_says_where() -> None:
    for given, expected in (({}, "/opt/ml/checkpoints"), ({"LocalPath": "/opt/ml/mine"}, "/opt/ml/mine")):
        request = training_request("it", {}, CheckpointConfig={"S3Uri": "s3://bucket/c", **given})
        assert files(request)["checkpointconfig.json"]["LocalPath"] == expected
