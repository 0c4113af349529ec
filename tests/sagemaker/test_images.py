"""The image table: every entry as the pinned SDK answers, and an unknown one is said in a sentence."""

import json
import subprocess
from pathlib import Path

import pytest

from automl_retraining.core.errors import RequestError
from automl_retraining.sagemaker import images
from tests.support.clients import clients_python
from tests.support.local_aws import ROOT

_ASK = """
import functools, importlib.metadata, json, sys
from sagemaker.core import common_utils, image_uris
# It reads botocore's table of endpoints anew for every URI, which takes ten times as long as all the rest.
common_utils._botocore_resolver = functools.cache(common_utils._botocore_resolver)
answers = {
    f"{name} {region} {version}": image_uris.retrieve(framework, region, version=version, instance_type="ml.c5.xlarge")
    for name, framework, region, version in json.load(sys.stdin)
}
json.dump({"sagemaker": importlib.metadata.version("sagemaker"), "answers": answers}, sys.stdout)
"""
_SDK_NAMES = {"xgboost": "xgboost", "scikit-learn": "sklearn", "linear-learner": "linear-learner"}


def test_every_region_and_version_is_what_the_sdk_answers(tmp_path: Path) -> None:
    """All entries at once, asked of the SDK in its own environment, for another instance type than the table's."""
    asked = [
        (name, framework, region, version)
        for name, framework in _SDK_NAMES.items()
        for version in images.versions(name)
        for region in images.regions(name, version)
    ]
    answer = subprocess.run(
        [clients_python(), "-c", _ASK],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    known = json.loads(answer.stdout)
    assert len(asked) > 600
    assert known["answers"] == {
        f"{name} {region} {version}": images.image_uri(name, region, version) for name, _, region, version in asked
    }
    table = json.loads((ROOT / "plugins/automl_retraining/sagemaker/images.json").read_text())
    assert known["sagemaker"] == table["sagemaker"]


def test_an_uri_names_the_registry_of_its_region() -> None:
    """China's registries have a domain of their own."""
    assert (
        images.image_uri("scikit-learn", "us-east-1", "1.4-2")
        == "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
    )
    assert images.image_uri("xgboost", "cn-north-1", "3.0-5").endswith(
        ".dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.0-5"
    )


@pytest.mark.parametrize(
    ("name", "region", "version", "listed"),
    [
        ("lightgbm", "us-east-1", "1", "linear-learner, scikit-learn, xgboost"),
        ("xgboost", "us-east-1", "9.9-9", "1.7-1, 3.0-5, 3.2-0"),
        ("xgboost", "mars-north-1", "3.0-5", "eu-west-1"),
    ],
)
def test_an_unknown_entry_lists_the_known_ones(name: str, region: str, version: str, listed: str) -> None:
    """Image, version, region."""
    with pytest.raises(RequestError, match=r"^expected .* found '") as error:
        images.image_uri(name, region, version)
    assert listed in str(error.value)
