"""The model registry: model package groups, their versions, and packages without a group."""
