"""SageMaker Pipelines: definitions, and executions that call the operations of their steps."""
