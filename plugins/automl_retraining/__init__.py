"""Retrain tabular models on Amazon SageMaker from Apache Airflow, and deploy them only when the evidence says so."""

__version__ = "0.1.0"
