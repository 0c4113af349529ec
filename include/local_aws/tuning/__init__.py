"""Tuning jobs: training jobs started one after another, each with the hyperparameters that a search suggests."""
