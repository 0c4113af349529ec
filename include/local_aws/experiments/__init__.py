"""Experiments, trials and trial components; every training, processing and transform job is a component by itself."""
