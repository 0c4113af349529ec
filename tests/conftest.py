"""Settings of every test: nothing of the caller's Airflow, AWS or home is read or written."""

from __future__ import annotations

import os
from pathlib import Path

_STATE = Path(__file__).resolve().parents[1] / ".local" / "tests"

# Before the first import of Airflow, which reads them then.
for _name in [name for name in os.environ if name.startswith(("AIRFLOW", "AWS_", "AUTOML_RETRAINING_"))]:
    if _name != "AUTOML_RETRAINING_CI":
        del os.environ[_name]
os.environ["AIRFLOW_HOME"] = str(_STATE / "airflow")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(_STATE / "no-plugins")
os.environ["AWS_DEFAULT_REGION"] = "us-east-1"
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
