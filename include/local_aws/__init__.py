"""An AWS on the laptop: SageMaker that really trains, a persistent S3, and moto for the rest, behind one loopback port.

``python -m include.local_aws --port 4566 --data DIR`` starts it. Nothing imports this package: it is reached over HTTP
only, as AWS is. It is a developer's AWS: no access control of its own, and jobs run with the rights of whoever
started it.

Rooms::

    wire/       AWS JSON 1.1 from botocore's own service model: validate requests, check answers, errors
    faults/     what goes wrong on request, by /_control; limits.py: what an account may run at once
    s3/         the S3 server (a child process) and the streaming proxy in front of it
    jobs/       the warm fork server, the queue for cores, logs
    automl/ transform/ models.py endpoints…   SageMaker's operations
    hosting/    model containers as serving processes
    images/     one package per AWS image
"""

VERSION = "0.1.0"
"""The embedded AWS's own version, told by ``GET /_health``."""

ACCOUNT = "123456789012"
"""The one account there is; moto answers STS with the same."""
