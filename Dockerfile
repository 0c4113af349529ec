# `astro dev start` and `astro deploy`. Airflow's components only: docker-compose.override.yml adds the embedded AWS.
# Astro Runtime 3.3-8 is Airflow 3.3.2. It ships Python 3.12 to 3.14, not the 3.11 that the tests run on; what
# requirements.txt names is there for 3.12 too, and tests/dags passes on it.
# Astro's image installs packages.txt and requirements.txt, and copies the project, by itself.
FROM astrocrpublic.azurecr.io/runtime:3.3-8-python-3.12

# plugins/ and include/ are found from the project's root.
ENV PYTHONPATH=/usr/local/airflow
