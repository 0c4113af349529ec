"""Processing jobs: a container's command on S3 inputs, on one or several instances, with S3 outputs."""
