"""CloudWatch's own error codes.

::

    AwsError
    ├── InvalidParameterValue        a value that the operation does not take (400)
    ├── InvalidParameterCombination  values that exclude each other (400)
    ├── MissingParameter             a value that the operation needs (400)
    └── ResourceNotFound             there is no such alarm (404)
"""

from include.local_aws.wire.errors import AwsError


class InvalidParameterValue(AwsError):
    """A value that the operation does not take."""

    code = "InvalidParameterValue"
    status = 400


class InvalidParameterCombination(AwsError):
    """Values that exclude each other."""

    code = "InvalidParameterCombination"
    status = 400


class MissingParameter(AwsError):
    """A value that the operation needs is not there."""

    code = "MissingParameter"
    status = 400


class ResourceNotFound(AwsError):
    """There is no such alarm."""

    code = "ResourceNotFound"
    status = 404
