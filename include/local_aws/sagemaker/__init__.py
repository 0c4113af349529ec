"""SageMaker's operations: one function each, from a validated request to an answer."""
