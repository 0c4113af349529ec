"""What a training script is told: its command-line arguments and the ``SM_…`` environment variables."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from include.local_aws.jobs.container import OPT_ML

_PREFIX = "sagemaker_"
"""Hyperparameters of this prefix are the framework's, not the script's."""
_TUNING = "_tuning_objective_metric"
"""Added to each training of a tuning job; no argument of the script."""


def users(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters that are the script's own."""
    return {name: value for name, value in hyperparameters.items() if not name.startswith(_PREFIX) and name != _TUNING}


def arguments(hyperparameters: Mapping[str, Any]) -> list[str]:
    """``--name value`` for each of the script's hyperparameters, by name; ``-n`` for a name of one letter.

    A mapping is written ``key=value,key=value``.
    """
    words = []
    for name, value in sorted(users(hyperparameters).items()):
        words.append(f"--{name}" if len(name) > 1 else f"-{name}")
        if isinstance(value, Mapping):
            words.append(",".join(f"{key}={each}" for key, each in sorted(value.items())))
        else:
            words.append("" if value is None else str(value))
    return words


def variables(config: Path, hyperparameters: Mapping[str, Any], program: str, framework: str) -> dict[str, str]:
    """The environment variables of a training; `config` is the directory of ``resourceconfig.json`` and the others."""
    resources = json.loads((config / "resourceconfig.json").read_text("utf-8"))
    channels = json.loads((config / "inputdataconfig.json").read_text("utf-8"))
    own = users(hyperparameters)
    frameworks = {name: value for name, value in hyperparameters.items() if name.startswith(_PREFIX)}
    directories = {name: str(OPT_ML / "input" / "data" / name) for name in sorted(channels)}
    told: dict[str, Any] = {
        "hosts": sorted(resources["hosts"]),
        "network_interface_name": resources["network_interface_name"],
        "user_entry_point": program,
        "framework_params": frameworks,
        "resource_config": resources,
        "input_data_config": channels,
        "output_data_dir": str(OPT_ML / "output" / "data"),
        "current_host": resources["current_host"],
        "current_instance_type": resources.get("current_instance_type", ""),
        "current_instance_group": resources.get("current_group_name", ""),
        "module_name": program.removesuffix(".py"),
        "module_dir": hyperparameters.get("sagemaker_submit_directory", str(OPT_ML / "code")),
        "log_level": hyperparameters.get("sagemaker_container_log_level", 20),
        "framework_module": framework,
        "input_dir": str(OPT_ML / "input"),
        "input_config_dir": str(OPT_ML / "input" / "config"),
        "output_dir": str(OPT_ML / "output"),
        "output_intermediate_dir": str(OPT_ML / "output" / "intermediate"),
        "num_cpus": os.cpu_count() or 1,
        "num_gpus": 0,
        "num_neurons": 0,
        "model_dir": str(OPT_ML / "model"),
    }
    whole = {
        **told,
        "channel_input_dirs": directories,
        "hyperparameters": own,
        "job_name": os.environ.get("TRAINING_JOB_NAME", ""),
        "is_master": resources["current_host"] == min(resources["hosts"]),
    }
    named = {
        **told,
        "hps": own,
        "channels": sorted(channels),
        "user_args": arguments(hyperparameters),
        "training_env": whole,
        **{f"channel_{name}": path for name, path in directories.items()},
        **{f"hp_{name.replace('-', '_')}": value for name, value in own.items()},
    }
    return {f"SM_{name.upper()}": _text(value) for name, value in named.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping | list) else str(value)
