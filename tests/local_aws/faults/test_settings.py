"""What ``/_control`` takes, and the sentences for what it doesn't."""

from pathlib import Path
from typing import Any

import pytest

from include.local_aws.faults.control import from_file
from include.local_aws.faults.settings import Fault, Settings, SettingsError, read


def test_nothing_asked_for_is_nothing_going_wrong() -> None:
    assert read({}) == Settings()


def test_everything_that_can_be_asked_for_is_read() -> None:
    settings = read(
        {
            "seed": 7,
            "faults": [
                {"kind": "throttle", "service": "sagemaker", "operation": "List*", "calls_per_second": 2, "burst": 5},
                {"kind": "error", "code": "ServiceUnavailable", "rate": 0.5, "at_most": 3},
                {"kind": "drop", "when": "after", "first": 1},
                {"kind": "latency", "seconds": [0.1, 0.5], "every": 2},
            ],
            "limits": {"training/ml.m5.large": 2, "automl": 0},
            "list_lag_seconds": 2,
            "list_lag_jitter_seconds": 0.5,
        }
    )
    assert settings.faults == (
        Fault("throttle", "sagemaker", "List*", calls_per_second=2.0, burst=5.0),
        Fault("error", code="ServiceUnavailable", rate=0.5, at_most=3),
        Fault("drop", when="after", first=1),
        Fault("latency", seconds=(0.1, 0.5), every=2),
    )
    assert (settings.seed, settings.list_lag_seconds, settings.list_lag_jitter_seconds) == (7, 2.0, 0.5)
    assert settings.limits == {"training/ml.m5.large": 2, "automl": 0}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "Expected a JSON object with seed, faults"),
        ({"fault": []}, "Unknown member 'fault' of the settings. It takes: seed, faults, limits"),
        ({"faults": {}}, "Expected a list of faults at 'faults'"),
        ({"faults": [1]}, "Expected an object at 'faults[0]', found 1"),
        ({"faults": [{}]}, "Expected one of throttle, error, drop, latency at 'faults[0].kind', found nothing"),
        ({"faults": [{"kind": "drop", "rates": 1}]}, "Unknown member 'rates' of 'faults[0]'"),
        ({"faults": [{"kind": "drop", "rate": 1.5}]}, "Expected a number from 0 to 1 at 'faults[0].rate', found 1.5"),
        ({"faults": [{"kind": "drop", "rate": True}]}, "found True"),
        ({"faults": [{"kind": "drop", "rate": 0.1, "first": 1}]}, "Expected one schedule at 'faults[0]', found rate"),
        ({"faults": [{"kind": "drop", "every": 0}]}, "whole number of at least 1 at 'faults[0].every', found 0"),
        ({"faults": [{"kind": "drop", "when": "later"}]}, "before, during, after at 'faults[0].when', found 'later'"),
        ({"faults": [{"kind": "drop", "code": "X"}]}, "'code' at 'faults[0]' belongs to the kind 'error'"),
        ({"faults": [{"kind": "latency", "when": "after"}]}, "belongs to the kind 'drop' or 'error'"),
        ({"faults": [{"kind": "error", "when": "during"}]}, "one of before, after at 'faults[0].when'"),
        ({"faults": [{"kind": "error", "code": "X"}]}, "InternalFailure, InternalServerError, ServiceUnavailable"),
        ({"faults": [{"kind": "latency"}]}, "Expected 'seconds' at 'faults[0]'"),
        ({"faults": [{"kind": "latency", "seconds": [2, 1]}]}, "the least before the most"),
        ({"faults": [{"kind": "latency", "seconds": [1]}]}, "a number or two of them"),
        ({"faults": [{"kind": "throttle", "burst": 2}]}, "belongs to 'calls_per_second'"),
        ({"faults": [{"kind": "throttle", "service": ""}]}, "a pattern such as sagemaker or List*"),
        ({"seed": -1}, "whole number of at least 0 at 'seed'"),
        ({"list_lag_seconds": "2"}, "at 'list_lag_seconds', found '2'"),
        ({"limits": []}, "Expected an object of limits at 'limits'"),
        ({"limits": {"trainings": 1}}, "found 'trainings'"),
        ({"limits": {"automl/ml.m5.large": 1}}, "found 'automl/ml.m5.large'"),
        ({"limits": {"spot-training": 1}}, "found 'spot-training'"),
        ({"limits": {"training": -1}}, "Expected a whole number at 'limits.training', found -1"),
    ],
)
def test_what_can_not_be_meant_is_refused_in_words(document: Any, said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read(document)
    assert said in str(raised.value)


def test_a_file_is_read_as_a_request_is_and_named_where_it_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "control.json"
    path.write_text('{"limits": {"automl": 1}}')
    assert from_file(path) == {"limits": {"automl": 1}}
    for text, said in (("{", "Expected a JSON file"), ('{"x": 1}', f"{path}: Unknown member 'x'")):
        path.write_text(text)
        with pytest.raises(SettingsError, match=said):
            from_file(path)
    with pytest.raises(SettingsError, match="No such file"):
        from_file(tmp_path / "none.json")
