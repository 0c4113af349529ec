"""Makes a broken pipeline file visible: it becomes this file's import error in Airflow, and hides no other DAG.

Airflow parses only files that speak of both, airflow and dag: this text is why it does.
"""

from __future__ import annotations

from automl_retraining.core.config import load_pipeline, pipeline_files
from automl_retraining.core.errors import ConfigError

problems = []
for path in pipeline_files():
    try:
        load_pipeline(path)
    except ConfigError as error:
        problems.append(str(error))
if problems:
    raise ConfigError("\n".join(problems))
