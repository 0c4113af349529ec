"""The walk of a user of the SageMaker SDK, unmodified, on the embedded AWS; runs in the clients' environment.

It prints a line of JSON for each step: its name and, where it failed, how. AWS_ENDPOINT_URL and credentials are in the
environment; the table of the tests is in the bucket. Of the SDK itself only this is set: its bucket and the role, since
it looks both up at a host of STS that is written into it.

    python -m tests.clients.sdk_walk WORKING_DIRECTORY
"""

import csv
import io
import json
import math
import sys
import textwrap
import time
import traceback
from pathlib import Path

import boto3
from sagemaker.core import image_uris
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.parameter import ContinuousParameter, IntegerParameter
from sagemaker.core.processing import FrameworkProcessor
from sagemaker.core.resources import (
    AutoMLJobV2,
    Endpoint,
    EndpointConfig,
    HyperParameterTuningJob,
    Model,
    ProcessingJob,
    TrainingJob,
)
from sagemaker.core.shapes import (
    AutoMLDataSource,
    AutoMLJobChannel,
    AutoMLJobCompletionCriteria,
    AutoMLOutputDataConfig,
    AutoMLProblemTypeConfig,
    AutoMLS3DataSource,
    ContainerDefinition,
    ProcessingInput,
    ProcessingOutput,
    ProcessingS3Input,
    ProcessingS3Output,
    ProductionVariant,
    TabularJobConfig,
)
from sagemaker.core.training.configs import Compute, InputData, SourceCode
from sagemaker.core.transformer import Transformer
from sagemaker.core.utils.exceptions import FailedStatusError
from sagemaker.serve.model_builder import ModelBuilder
from sagemaker.train.model_trainer import ModelTrainer
from sagemaker.train.tuner import HyperparameterTuner

from tests.clients import sdk_sources

BUCKET = "housing"
REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/service-role/SageMaker"
INSTANCE = "ml.m5.xlarge"

XGBOOST_HYPERPARAMETERS = {"objective": "reg:squarederror", "num_round": 60, "eta": 0.2, "max_depth": 4}


class Walk:
    """The steps, each using what the ones before it made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        boto = boto3.session.Session(region_name=REGION)
        self.s3 = boto.client("s3")
        self.session = Session(boto, default_bucket=BUCKET)
        self.xgboost = ""
        self.sklearn = ""
        self.trained: TrainingJob = None
        self.scripted: TrainingJob = None

    def source(self, name: str, **files: str) -> str:
        """A source directory with these modules and a requirements.txt."""
        folder = self.folder / name
        folder.mkdir()
        for module, text in files.items():
            (folder / f"{module}.py").write_text(textwrap.dedent(text))
        (folder / "requirements.txt").write_text("numpy\nscikit-learn>=1.0\n")
        return str(folder)

    def rows(self, key: str) -> list[list[str]]:
        """The rows of a CSV object of the bucket."""
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
        return list(csv.reader(io.StringIO(body)))

    def rmse(self, predicted: list[float]) -> float:
        """Of predictions for the test part."""
        truth = [float(row[0]) for row in self.rows("ames/test/test.csv")]
        assert len(predicted) == len(truth)
        return math.sqrt(sum((a - b) ** 2 for a, b in zip(truth, predicted, strict=True)) / len(truth))

    def role(self) -> None:
        """The role as on AWS: the SDK refuses one that IAM does not have or that SageMaker may not assume."""
        allowed = {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
        }
        trust = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        made = self.session.boto_session.client("iam").create_role(
            Path="/service-role/", RoleName="SageMaker", AssumeRolePolicyDocument=trust
        )
        assert made["Role"]["Arn"] == ROLE

    def image_uris(self) -> None:
        """The images that the SDK names are those that are here."""
        self.xgboost = image_uris.retrieve("xgboost", REGION, version="1.7-1")
        self.sklearn = image_uris.retrieve("sklearn", REGION, version="1.2-1", py_version="py3", instance_type=INSTANCE)
        assert self.xgboost.endswith("/sagemaker-xgboost:1.7-1"), self.xgboost
        assert self.sklearn.endswith("/sagemaker-scikit-learn:1.2-1-cpu-py3"), self.sklearn

    def upload_data(self) -> None:
        """Session.upload_data puts a folder, Session.read_s3_file reads it."""
        (self.folder / "up").mkdir()
        (self.folder / "up" / "note.txt").write_text("from the SDK")
        uri = self.session.upload_data(str(self.folder / "up"), key_prefix="sdk/up")
        assert uri == f"s3://{BUCKET}/sdk/up", uri
        assert self.session.read_s3_file(BUCKET, "sdk/up/note.txt") == "from the SDK"
        assert self.session.list_s3_files(BUCKET, "sdk/up/") == ["sdk/up/note.txt"]

    def framework_processor(self) -> None:
        """FrameworkProcessor with a source directory of two modules and requirements, waited for with its log."""
        processor = FrameworkProcessor(
            role=ROLE,
            image_uri=self.sklearn,
            command=["python3"],
            instance_count=1,
            instance_type=INSTANCE,
            base_job_name="sdk-processing",
            sagemaker_session=self.session,
        )
        source = ProcessingS3Input(
            s3_uri=f"s3://{BUCKET}/ames/train",
            local_path="/opt/ml/processing/input/table",
            s3_data_type="S3Prefix",
            s3_input_mode="File",
        )
        target = ProcessingS3Output(
            s3_uri=f"s3://{BUCKET}/sdk/head", local_path="/opt/ml/processing/output/head", s3_upload_mode="EndOfJob"
        )
        processor.run(
            code="prepare.py",
            source_dir=self.source("processing", prepare=sdk_sources.PREPARE, shared=sdk_sources.SHARED),
            inputs=[ProcessingInput(input_name="table", s3_input=source)],
            outputs=[ProcessingOutput(output_name="head", s3_output=target)],
            arguments=["--rows", "7"],
            wait=True,
            logs=True,
        )
        name = processor.latest_job.processing_job_name
        assert ProcessingJob.get(name).processing_job_status == "Completed"
        assert len(self.rows("sdk/head/head.csv")) == 7

    def model_trainer_algorithm(self) -> None:
        """ModelTrainer with the algorithm of an image."""
        trainer = ModelTrainer(
            training_image=self.xgboost,
            role=ROLE,
            sagemaker_session=self.session,
            base_job_name="sdk-xgboost",
            compute=Compute(instance_type=INSTANCE, instance_count=1, volume_size_in_gb=10),
            hyperparameters=XGBOOST_HYPERPARAMETERS,
        )
        trainer.train(input_data_config=self.inputs(), wait=True, logs=True)
        self.trained = TrainingJob.get(trainer._latest_training_job.training_job_name)
        assert self.trained.training_job_status == "Completed"
        assert {each.metric_name for each in self.trained.final_metric_data_list} >= {"validation:rmse"}

    def inputs(self) -> list[InputData]:
        """The channels of the table."""
        return [
            InputData(channel_name=name, data_source=f"s3://{BUCKET}/ames/{name}/", content_type="text/csv")
            for name in ("train", "validation")
        ]

    def model_trainer_script(self) -> None:
        """ModelTrainer with a script of the user's, the defaults for everything else."""
        trainer = ModelTrainer(
            training_image=self.sklearn,
            role=ROLE,
            sagemaker_session=self.session,
            base_job_name="sdk-sklearn",
            source_code=SourceCode(
                source_dir=self.source(
                    "training", train=sdk_sources.TRAIN_SKLEARN, inference=sdk_sources.SERVE_SKLEARN
                ),
                entry_script="train.py",
                requirements="requirements.txt",
            ),
            hyperparameters={"alpha": 3.0},
        )
        trainer.train(input_data_config=self.inputs()[:1], wait=False)
        self.scripted = trainer._latest_training_job
        self.scripted.wait(poll=1)
        assert self.scripted.training_job_status == "Completed", self.scripted.failure_reason

    def model_trainer_failing_script(self) -> None:
        """A script that raises fails the job, and the SDK's wait with it; its log says why.

        The reason is the SDK's own: its driver, which runs the script, writes the failure.
        """
        trainer = ModelTrainer(
            training_image=self.sklearn,
            role=ROLE,
            sagemaker_session=self.session,
            base_job_name="sdk-failing",
            source_code=SourceCode(
                source_dir=self.source("failing", train="raise RuntimeError('no such house')"), entry_script="train.py"
            ),
        )
        trainer.train(input_data_config=self.inputs()[:1], wait=False)
        said = ""
        try:
            trainer._latest_training_job.wait(poll=1)
        except FailedStatusError as error:
            said = str(error)
        assert "'train.py']' returned non-zero exit status 1" in said, said
        name = trainer._latest_training_job.training_job_name
        logs = self.session.boto_session.client("logs")
        group = {"logGroupName": "/aws/sagemaker/TrainingJobs"}
        deadline = time.monotonic() + 30
        while True:  # lines reach CloudWatch a moment later
            streams = logs.describe_log_streams(**group, logStreamNamePrefix=f"{name}/")["logStreams"]
            events = [logs.get_log_events(**group, logStreamName=each["logStreamName"])["events"] for each in streams]
            if any("RuntimeError: no such house" in event["message"] for each in events for event in each):
                return
            assert time.monotonic() < deadline, events
            time.sleep(0.2)

    def hyperparameter_tuner(self) -> None:
        """HyperparameterTuner of one algorithm."""
        trainer = ModelTrainer(
            training_image=self.xgboost,
            role=ROLE,
            sagemaker_session=self.session,
            base_job_name="sdk-tuned",
            compute=Compute(instance_type=INSTANCE, instance_count=1, volume_size_in_gb=10),
            hyperparameters={"objective": "reg:squarederror", "num_round": 20},
        )
        tuner = HyperparameterTuner(
            model_trainer=trainer,
            objective_metric_name="validation:rmse",
            objective_type="Minimize",
            hyperparameter_ranges={"eta": ContinuousParameter(0.05, 0.4), "max_depth": IntegerParameter(2, 6)},
            max_jobs=2,
            max_parallel_jobs=2,
        )
        tuner.tune(inputs=self.inputs(), wait=False)
        tuner.latest_tuning_job.wait(poll=1)
        name = tuner.latest_tuning_job.hyper_parameter_tuning_job_name
        job = HyperParameterTuningJob.get(name)
        assert job.hyper_parameter_tuning_job_status == "Completed"
        best = TrainingJob.get(job.best_training_job.training_job_name)
        assert best.training_job_status == "Completed"

    def transformer(self) -> None:
        """Model.create and Transformer: the predictions are good."""
        artifact = self.trained.model_artifacts.s3_model_artifacts
        container = ContainerDefinition(image=self.xgboost, model_data_url=artifact)
        Model.create(model_name="sdk-xgboost", primary_container=container, execution_role_arn=ROLE)
        transformer = Transformer(
            model_name="sdk-xgboost",
            instance_count=1,
            instance_type=INSTANCE,
            output_path=f"s3://{BUCKET}/sdk/predicted",
            assemble_with="Line",
            sagemaker_session=self.session,
        )
        transformer.transform(
            f"s3://{BUCKET}/ames/batch/batch.csv", content_type="text/csv", split_type="Line", wait=True, logs=True
        )
        reached = self.rmse([float(row[0]) for row in self.rows("sdk/predicted/batch.csv.out")])
        assert reached < 32_000, reached

    def endpoint(self) -> None:
        """EndpointConfig.create, Endpoint.create, invoke and delete."""
        variant = ProductionVariant(
            variant_name="v", model_name="sdk-xgboost", instance_type=INSTANCE, initial_instance_count=1
        )
        EndpointConfig.create(endpoint_config_name="sdk", production_variants=[variant])
        endpoint = Endpoint.create(endpoint_name="sdk", endpoint_config_name="sdk")
        endpoint.wait_for_status("InService", poll=1)
        body = self.s3.get_object(Bucket=BUCKET, Key="ames/batch/batch.csv")["Body"].read()
        answer = endpoint.invoke(body=body, content_type="text/csv").body.read().decode()
        assert self.rmse([float(each) for each in answer.replace(",", "\n").split()]) < 32_000
        endpoint.delete()

    def model_builder(self) -> None:
        """ModelBuilder builds and deploys the model of the scripted training job, whose code is in its artifact."""
        builder = ModelBuilder(
            s3_model_data_url=self.scripted.model_artifacts.s3_model_artifacts,
            role_arn=ROLE,
            sagemaker_session=self.session,
            image_uri=self.sklearn,
            instance_type=INSTANCE,
            env_vars={"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
        )
        builder.build(model_name="sdk-built")
        endpoint = builder.deploy(endpoint_name="sdk-built", initial_instance_count=1, wait=False)
        endpoint.wait_for_status("InService", poll=1)
        body = self.s3.get_object(Bucket=BUCKET, Key="ames/batch/batch.csv")["Body"].read()
        answer = endpoint.invoke(body=body, content_type="text/csv", accept="text/csv").body.read().decode()
        assert self.rmse([float(each) for each in answer.replace(",", "\n").split()]) < 60_000
        endpoint.delete()

    def automl_job_v2(self) -> None:
        """AutoMLJobV2.create, wait, best candidate."""
        header = ["price", *(f"f{number}" for number in range(30))]
        table = [header, *(row[:31] for row in self.rows("ames/train/train.csv")[:600])]
        body = "".join(",".join(row) + "\n" for row in table)
        self.session.upload_string_as_file_body(body, BUCKET, "sdk/automl/train.csv")
        source = AutoMLS3DataSource(s3_data_type="S3Prefix", s3_uri=f"s3://{BUCKET}/sdk/automl/")
        job = AutoMLJobV2.create(
            auto_ml_job_name="sdk-automl",
            auto_ml_job_input_data_config=[
                AutoMLJobChannel(
                    channel_type="training",
                    content_type="text/csv;header=present",
                    data_source=AutoMLDataSource(s3_data_source=source),
                )
            ],
            output_data_config=AutoMLOutputDataConfig(s3_output_path=f"s3://{BUCKET}/sdk/automl-out"),
            auto_ml_problem_type_config=AutoMLProblemTypeConfig(
                tabular_job_config=TabularJobConfig(
                    target_attribute_name="price",
                    mode="ENSEMBLING",
                    completion_criteria=AutoMLJobCompletionCriteria(max_candidates=1),
                )
            ),
            role_arn=ROLE,
        )
        job.wait(poll=1)
        job.refresh()
        assert job.auto_ml_job_status == "Completed"
        assert job.best_candidate.inference_containers


STEPS = (
    "role",
    "image_uris",
    "upload_data",
    "framework_processor",
    "model_trainer_algorithm",
    "model_trainer_script",
    "model_trainer_failing_script",
    "hyperparameter_tuner",
    "transformer",
    "endpoint",
    "model_builder",
    "automl_job_v2",
)


def main(folder: Path) -> None:
    """Walk every step."""
    walk = Walk(folder)
    for step in STEPS:
        try:
            getattr(walk, step)()
            said = None
        except Exception:  # noqa: BLE001 - the test that reads the line fails with it
            said = traceback.format_exc()
        print("\n" + json.dumps({"step": step, "failed": said}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
