"""Script mode: what framework images share to train and serve with the user's own code.

The names of hyperparameters, environment variables and handlers are those of AWS's public SageMaker training and
inference toolkits (github.com/aws/sagemaker-training-toolkit, sagemaker-inference-toolkit), as their documentation
gives them.
"""
