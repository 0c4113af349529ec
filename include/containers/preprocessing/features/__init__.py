"""The feature pipeline: what the columns are, how they are read, how they become numbers."""
