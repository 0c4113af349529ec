# The image of docker-compose.yaml: Airflow, and everything that the DAGs and the embedded AWS import, as locked.
# Built from the project's root:   docker compose build
#
# The slim image, because the usual one brings a hundred providers at versions of their own, which would disagree with
# the lock; `--exact` below makes the environment what the tests ran with, and nothing else.
FROM apache/airflow:slim-3.3.2-python3.11

USER root
# libgomp1: LightGBM's and XGBoost's threads. Debian keeps only the newest build of a package, so it has no version here.
# The folders are the volumes' mount points: a new volume takes its owner from them. /opt/ml: where the container may not
# mount (docker's default), a job of the embedded AWS sees its directory there through this link, one job at a time.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=airflow --group=root --mode=2775 \
        /opt/airflow/logs /opt/airflow/state /opt/airflow/aws /opt/airflow/ml \
    && ln -s /opt/airflow/ml/current /opt/ml

USER airflow
COPY requirements.txt requirements.lock /requirements/
COPY include/deploy/requirements.txt /requirements/include/deploy/
RUN pip install --no-cache-dir uv==0.13.8 \
    && uv pip install --no-cache --exact --require-hashes \
        --requirements /requirements/include/deploy/requirements.txt --constraints /requirements/requirements.lock

# dags/, plugins/ and include/ are mounted, not copied: a change needs no build.
