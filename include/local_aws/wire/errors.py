"""What the embedded AWS answers when it refuses, with AWS's own codes.

::

    AwsError                      code and HTTP status
    ├── ValidationException       the request breaks a rule (400)
    ├── SerializationException    the request isn't readable as this operation's input (400)
    ├── UnknownOperation          AWS has no such operation (400)
    ├── ResourceInUse             a job of that name exists (400)
    ├── ResourceNotFound          no such resource (400)
    ├── Conflict                  the resource is in a state that forbids it (400)
    ├── ResourceLimitExceeded     more than the service takes (400)
    ├── NotImplementedHere        AWS does it, the embedded AWS does not (501, which boto3 does not retry)
    └── InternalFailure           the embedded AWS's own fault (500)
"""


class AwsError(Exception):
    """An answer other than success; `message` is what the caller reads."""

    code = "InternalFailure"
    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ValidationException(AwsError):
    """The request breaks a rule of the service."""

    code = "ValidationException"
    status = 400


class SerializationException(AwsError):
    """The request can't be read as the operation's input."""

    code = "SerializationException"
    status = 400


class UnknownOperation(AwsError):
    """AWS itself has no such operation."""

    code = "UnknownOperationException"
    status = 400


class ResourceInUse(AwsError):
    """A job of that name exists; SageMaker never frees a job's name."""

    code = "ResourceInUse"
    status = 400


class ResourceNotFound(AwsError):
    """There is no such resource."""

    code = "ResourceNotFound"
    status = 400


class Conflict(AwsError):
    """The resource's state, or what belongs to it, forbids the operation."""

    code = "ConflictException"
    status = 400


class ResourceLimitExceeded(AwsError):
    """More than the service takes."""

    code = "ResourceLimitExceeded"
    status = 400


class NotImplementedHere(AwsError):
    """AWS knows this operation or option; the embedded AWS does not."""

    code = "NotImplemented"
    status = 501


class InternalFailure(AwsError):
    """A fault of the embedded AWS itself."""


def not_implemented(what: str) -> NotImplementedHere:
    """The one sentence for everything that AWS does and the embedded AWS does not."""
    return NotImplementedHere(f"The embedded AWS does not implement {what}. Use a real AWS account for it.")
