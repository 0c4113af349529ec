"""Training jobs: from CreateTrainingJob to the model.tar.gz."""
