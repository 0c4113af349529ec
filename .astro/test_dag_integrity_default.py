"""What ``astro dev parse`` runs: every file of dags/ loads, and the DAGs that it makes are sound.

The Astro CLI's own version of this file calls DagBag with an argument that Airflow 3.3 doesn't take any more.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Parsing leaves nothing behind, and needs no connection: the DAGs read none before they run.
os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

DAGS = Path(__file__).resolve().parents[1] / "dags"


@pytest.mark.filterwarnings("ignore:GitWildMatchPattern")  # Airflow's own reading of .airflowignore
def test_every_dag_file_loads() -> None:
    """No import error, and at least one DAG."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(DAGS))
    assert bag.import_errors == {}
    assert bag.dags
