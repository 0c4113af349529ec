"""Batch transform: records out of files, through a model's containers, joined and filtered into files."""
