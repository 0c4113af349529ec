"""Run in the clients' environment: print the request that the SageMaker SDK's FrameworkProcessor sends.

Standard input is JSON with the facts; no call leaves this machine.
"""

import contextlib
import io
import json
import sys

import boto3
from botocore.awsrequest import AWSResponse
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.processing import FrameworkProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output


class Sent(Exception):
    """The request is known: nothing more is to be done."""


def main() -> None:
    """Build the processor as a user would, run it, and print what it was about to send."""
    given = json.load(sys.stdin)
    boto = boto3.session.Session("test", "test", region_name="us-east-1")
    s3, sagemaker = boto.client("s3"), boto.client("sagemaker")
    s3.meta.events.register("before-send", lambda request, **_: AWSResponse(request.url, 200, {}, _Raw()))
    found = {}

    def catch(params, **_):
        found.update(params)
        raise Sent

    sagemaker.meta.events.register("provide-client-params.sagemaker.CreateProcessingJob", catch)
    session = Session(boto, sagemaker_client=sagemaker, default_bucket="bucket")
    session.s3_client = s3
    session.s3_resource = _Resource(s3)
    processor = FrameworkProcessor(
        role=given["role"],
        image_uri=given["image"],
        command=["python3"],
        instance_count=1,
        instance_type=given["instance_type"],
        volume_size_in_gb=30,
        max_runtime_in_seconds=given["max_run_time"],
        sagemaker_session=session,
    )
    inputs = [
        ProcessingInput(
            input_name=name,
            s3_input=ProcessingS3Input(
                s3_uri=uri,
                local_path=f"/opt/ml/processing/input/{name}",
                s3_data_type="S3Prefix",
                s3_input_mode="File",
            ),
        )
        for name, uri in given["inputs"].items()
    ]
    outputs = [
        ProcessingOutput(
            output_name=name,
            s3_output=ProcessingS3Output(
                s3_uri=uri, local_path=f"/opt/ml/processing/output/{name}", s3_upload_mode="EndOfJob"
            ),
        )
        for name, uri in given["outputs"].items()
    ]
    with contextlib.suppress(Sent):
        processor.run(
            code=given["script"],
            source_dir=given["source_dir"],
            inputs=inputs,
            outputs=outputs,
            arguments=given["arguments"],
            wait=False,
            job_name="job",
        )
    print("REQUEST " + json.dumps(found))


class _Raw(io.BytesIO):
    def stream(self, **_):
        return iter([b""])


class _Resource:
    """As much of the S3 resource as an upload takes."""

    creation_date = "known"

    def __init__(self, client):
        self.meta = type("Meta", (), {"client": client})()

    def Object(self, bucket_name, key):
        return self

    def Bucket(self, name):
        return self

    def put(self, **_):
        return {}

    def upload_file(self, *_, **__):
        return None


if __name__ == "__main__":
    main()
