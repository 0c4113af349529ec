"""Processing jobs really run."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_aws import Running, descendants
from tests.support.local_aws_requests import BUCKET
from tests.support.processing import INPUT, OUTPUT, SKLEARN, cluster, create, ended, log, objects, request, run, source
from tests.support.processing import target as to

pytestmark = pytest.mark.local_aws

SEE_LOG = "AlgorithmError: See job logs for more information"


def put(aws: Running, **objects: str) -> None:
    for key, body in objects.items():
        aws.client("s3").put_object(Bucket=BUCKET, Key=key.replace("__", "/"), Body=body)


def test_inputs_arguments_and_environment_reach_the_script_and_its_outputs_reach_s3(aws: Running) -> None:
    put(aws, flow__data__a="1\n", flow__data__sub__b="2\n")
    script = f"""
import json, os, sys
from pathlib import Path
files = sorted(str(each) for each in Path("{INPUT}/data").rglob("*") if each.is_file())
print("found", files)
out = Path("{OUTPUT}/out/deep")
out.mkdir()
(out / "sum.txt").write_text(str(sum(int(Path(each).read_text()) for each in files)))
Path("{OUTPUT}/out/told.json").write_text(json.dumps(
    dict(arguments=sys.argv[1:], given=os.environ["GIVEN"], region=os.environ["AWS_REGION"])))
Path("/opt/ml/output/message").write_text("three rows")
"""
    name = create(
        aws,
        script,
        inputs=[source("data", f"s3://{BUCKET}/flow/data")],
        outputs=[to("out", f"s3://{BUCKET}/flow/out/"), to("empty", f"s3://{BUCKET}/flow/empty")],
        AppSpecification={
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["python3", f"{INPUT}/code/code.py"],
            "ContainerArguments": ["--share", "0.2"],
        },
        Environment={"GIVEN": "value"},
        Tags=[{"Key": "k", "Value": "v"}],
    )
    answer = ended(aws, name)
    assert answer["ProcessingJobStatus"] == "Completed", answer.get("FailureReason")
    assert answer["ExitMessage"] == "three rows"
    assert answer["CreationTime"] <= answer["ProcessingStartTime"] <= answer["ProcessingEndTime"]
    assert answer["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400}
    written = objects(aws, "flow/out/")
    assert written.pop("deep/sum.txt") == "3"
    told = json.loads(written.pop("told.json"))
    assert told == {"arguments": ["--share", "0.2"], "given": "value", "region": "us-east-1"}
    assert written == objects(aws, "flow/empty") == {}
    ((stream, lines),) = log(aws, name, "found").items()
    assert stream.startswith(f"{name}/algo-1-")
    assert lines == [f"found ['{INPUT}/data/a', '{INPUT}/data/sub/b']"]
    assert aws.client("sagemaker").list_tags(ResourceArn=answer["ProcessingJobArn"])["Tags"] == [
        {"Key": "k", "Value": "v"}
    ]


def test_several_jobs_at_a_time_each_see_their_own_opt_ml(aws: Running) -> None:
    script = f"""
import os, sys, time
from pathlib import Path
Path("/opt/ml/processing/mine").write_text(os.environ["NAME"])
while not Path("{OUTPUT}/go").parent.is_dir(): time.sleep(0.01)
time.sleep(0.5)
Path("{OUTPUT}/out/name").write_text(Path("/opt/ml/processing/mine").read_text())
"""
    names = "abcd"
    jobs = [
        create(aws, script, outputs=[to("out", f"s3://{BUCKET}/own/{each}")], Environment={"NAME": each})
        for each in names
    ]
    for job in jobs:
        assert ended(aws, job)["ProcessingJobStatus"] == "Completed"
    assert objects(aws, "own/") == {f"{each}/name": each for each in names}


def test_a_script_that_raises_fails_the_job_in_awss_words_its_traceback_is_in_the_log_and_nothing_is_uploaded(
    aws: Running,
) -> None:
    script = f"""
from pathlib import Path
Path("{OUTPUT}/out/half").write_text("half")
Path("{OUTPUT}/seen/half").write_text("half")
def work():
    raise KeyError("no such column: price")
work()
"""
    name = create(
        aws,
        script,
        outputs=[to("out", f"s3://{BUCKET}/raise/out"), to("seen", f"s3://{BUCKET}/raise/seen", "Continuous")],
    )
    answer = ended(aws, name)
    assert (answer["ProcessingJobStatus"], answer["FailureReason"]) == ("Failed", SEE_LOG)
    assert "ExitMessage" not in answer
    assert objects(aws, "raise/") == {"seen/half": "half"}
    ((_, lines),) = log(aws, name, "KeyError").items()
    assert lines[-2:] == ["KeyError: 'no such column: price'", "algo-1 ended with exit code 1"]
    assert sum("File " in line for line in lines) == 2


def test_the_message_of_a_job_that_fails_is_its_exit_message(aws: Running) -> None:
    script = "open('/opt/ml/output/message', 'w').write('why ' * 1000)\nimport sys; sys.exit(4)"
    answer = run(aws, script)
    assert (answer["ProcessingJobStatus"], answer["FailureReason"]) == ("Failed", SEE_LOG)
    assert answer["ExitMessage"] == ("why " * 1000)[:1024].strip()


@pytest.mark.parametrize("number", [9, 11])
def test_a_script_that_is_killed_says_by_which_signal(aws: Running, number: int) -> None:
    answer = run(aws, f"import os; os.kill(os.getpid(), {number})")
    assert answer["ProcessingJobStatus"] == "Failed"
    assert f"ended with signal {number}" in answer["FailureReason"]


@pytest.mark.parametrize("instances", [1, 2])
def test_a_script_that_wants_too_much_memory_is_told_how_much_there_is(aws: Running, instances: int) -> None:
    script = """
import json, numpy, time
if json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"] == "algo-1" and %d == 2:
    time.sleep(600)
numpy.ones(10**12)
"""
    answer = run(aws, script % instances, ProcessingResources=cluster(instances))
    assert answer["ProcessingJobStatus"] == "Failed"
    assert answer["FailureReason"].startswith("AlgorithmError: out of memory. A job may use ")


@pytest.mark.parametrize("cause", ["input", "bucket", "program"])
def test_what_a_job_needs_and_is_not_there_fails_it_by_name(aws: Running, cause: str) -> None:
    causes: dict[str, dict[str, Any]] = {
        "input": {"inputs": [source("data", f"s3://{BUCKET}/nothing/here/")]},
        "bucket": {"outputs": [to("out", "s3://no-such-bucket-at-all/out")]},
        "program": {"AppSpecification": {"ImageUri": SKLEARN, "ContainerEntrypoint": ["/no/such/program"]}},
    }
    name = create(aws, "print(1)", **causes[cause])
    answer = ended(aws, name)
    assert answer["ProcessingJobStatus"] == "Failed"
    if cause == "program":
        assert answer["FailureReason"] == SEE_LOG
        log(aws, name, "The container's command '/no/such/program' can't be run: No such file or directory.")
    else:
        said = {
            "input": f'ClientError: Data download failed:No S3 objects found under S3 URL "s3://{BUCKET}/nothing/here/"',
            "bucket": "ClientError: the bucket of the output location s3://no-such-bucket-at-all/out does not exist",
        }[cause]
        assert answer["FailureReason"].startswith(said)


def test_each_instance_gets_its_share_its_name_and_its_own_log(aws: Running) -> None:
    put(aws, **{f"shards__{n}": str(n) for n in range(5)}, whole__x="x")
    script = f"""
import json, os
from pathlib import Path
resources = json.loads(Path("/opt/ml/config/resourceconfig.json").read_text())
host = resources["current_host"]
print("I am", host)
mine = sorted(each.name for each in Path("{INPUT}/shards").iterdir())
Path("{OUTPUT}/out", host).write_text(" ".join(mine) + "," + ",".join(os.listdir("{INPUT}/whole")))
Path("{OUTPUT}/out/hosts").write_text(" ".join(resources["hosts"]))
"""
    name = create(
        aws,
        script,
        inputs=[
            source("shards", f"s3://{BUCKET}/shards/", S3DataDistributionType="ShardedByS3Key"),
            source("whole", f"s3://{BUCKET}/whole/"),
        ],
        outputs=[to("out", f"s3://{BUCKET}/sharded")],
        ProcessingResources=cluster(3),
    )
    assert ended(aws, name)["ProcessingJobStatus"] == "Completed"
    hosts = ["algo-1", "algo-2", "algo-3"]
    written = objects(aws, "sharded/")
    assert written.pop("hosts") == " ".join(hosts)
    assert [each.partition(",")[2] for each in written.values()] == ["x"] * 3
    shares = {host: text.partition(",")[0].split() for host, text in written.items()}
    assert list(shares) == hosts
    assert sorted(each for share in shares.values() for each in share) == [str(n) for n in range(5)]
    assert max(map(len, shares.values())) - min(map(len, shares.values())) == 1
    lines: dict[str, list[str]] = {}
    while len(lines) < 3:  # each stream arrives by itself
        lines = log(aws, name, "I am")
    assert {stream.split("/")[1].rpartition("-")[0]: said for stream, said in lines.items()} == {
        host: [f"I am {host}"] for host in hosts
    }


def test_one_instance_that_fails_ends_the_others(aws: Running) -> None:
    script = """
import json, sys, time
host = json.load(open("/opt/ml/config/resourceconfig.json"))["current_host"]
if host == "algo-2":
    sys.exit(9)
time.sleep(600)
"""
    name = create(aws, script, ProcessingResources=cluster(2))
    assert ended(aws, name)["FailureReason"] == SEE_LOG
    log(aws, name, "algo-2 ended with exit code 9")


def test_a_shell_script_unpacks_its_source_meets_its_requirements_and_runs_python(aws: Running) -> None:
    """The form in which the SageMaker SDK's FrameworkProcessor sends a source directory."""
    put(aws, shell__requirements="numpy\n", shell__main="import numpy, sys; print('numpy for', sys.argv[1])")
    entry = f"""#!/bin/bash
set -e
cd {INPUT}/source
mv requirements requirements.txt
pip uninstall --yes typing
pip install -r requirements.txt
python3 main "$@"
"""
    put(aws, shell_entry="x", **{"entry__run.sh": entry})
    name = create(
        aws,
        "",
        inputs=[source("source", f"s3://{BUCKET}/shell/"), source("entry", f"s3://{BUCKET}/entry/run.sh")],
        AppSpecification={
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["/bin/bash", f"{INPUT}/entry/run.sh"],
            "ContainerArguments": ["me"],
        },
    )
    answer = ended(aws, name)
    assert answer["ProcessingJobStatus"] == "Completed", log(aws, name, "")
    ((_, lines),) = log(aws, name, "numpy for me").items()
    assert any(line.startswith("Requirement already satisfied: numpy") for line in lines)


def test_a_requirement_that_is_not_installed_fails_the_job_and_the_log_names_it(aws: Running) -> None:
    script = """
import subprocess, sys
open("/opt/ml/tmp/requirements.txt", "w").write("no-such-thing-at-all==1.0\\n")
subprocess.check_call([sys.executable, "-m", "pip", "install", "-r", "/opt/ml/tmp/requirements.txt"])
"""
    name = create(aws, script)
    assert ended(aws, name)["FailureReason"] == SEE_LOG
    lines = log(aws, name, "No matching distribution found for no-such-thing-at-all==1.0")
    assert any("gives jobs no package index" in line for each in lines.values() for line in each)


WAITING = """
import sys, time
from pathlib import Path
Path("{out}").write_text("begun")
print("begun", flush=True)
time.sleep(600)
"""


def test_a_continuous_output_is_in_s3_while_the_job_runs_and_a_stop_ends_its_processes(aws: Running) -> None:
    here = descendants(aws.process.pid)
    script = WAITING.format(out=f"{OUTPUT}/seen/a") + "# and a child\n"
    script = "import subprocess; subprocess.Popen(['sleep', '600'])\n" + script
    name = create(
        aws,
        script,
        outputs=[to("seen", f"s3://{BUCKET}/stop/seen", "Continuous"), to("end", f"s3://{BUCKET}/stop/end")],
    )
    deadline = time.monotonic() + 20
    while not objects(aws, "stop/"):
        assert time.monotonic() < deadline
    sagemaker = aws.client("sagemaker")
    assert sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] == "InProgress"
    assert len(descendants(aws.process.pid) - here) >= 2
    sagemaker.stop_processing_job(ProcessingJobName=name)
    assert sagemaker.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] in ("Stopping", "Stopped")
    assert ended(aws, name)["ProcessingJobStatus"] == "Stopped"
    assert objects(aws, "stop/") == {"seen/a": "begun"}
    while any("sleep" in command_of(pid) for pid in descendants(aws.process.pid) - here):
        assert time.monotonic() < deadline
    with pytest.raises(ClientError, match="is in status Stopped"):
        sagemaker.stop_processing_job(ProcessingJobName=name)


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_nothing_that_a_script_starts_outlives_its_job_not_even_in_a_session_of_its_own(aws: Running) -> None:
    here = descendants(aws.process.pid)
    script = """
import os, subprocess
subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM; touch /opt/ml/tmp/up; sleep 614"])
while not os.path.exists("/opt/ml/tmp/up"): pass
"""
    assert run(aws, script)["ProcessingJobStatus"] == "Completed"
    assert not [pid for pid in everybody() if "614" in command_of(pid)]
    name = create(aws, script + "import signal, time\nsignal.signal(15, lambda *_: None)\ntime.sleep(600)\n")
    deadline = time.monotonic() + 20
    while not [pid for pid in everybody() if "614" in command_of(pid)]:
        assert time.monotonic() < deadline
    aws.client("sagemaker").stop_processing_job(ProcessingJobName=name)
    assert ended(aws, name)["ProcessingJobStatus"] == "Stopped"
    assert not [pid for pid in everybody() if "614" in command_of(pid)]
    assert descendants(aws.process.pid) <= here


def everybody() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def test_a_job_that_runs_longer_than_it_may_is_stopped(aws: Running) -> None:
    name = create(
        aws,
        WAITING.format(out=f"{OUTPUT}/overtime/a"),
        outputs=[to("overtime", f"s3://{BUCKET}/overtime/out")],
        StoppingCondition={"MaxRuntimeInSeconds": 1},
    )
    answer = ended(aws, name)
    assert answer["ProcessingJobStatus"] == "Stopped"
    assert answer["FailureReason"] == "ClientError: the job ran longer than its MaxRuntimeInSeconds of 1."
    assert objects(aws, "overtime/") == {}


def test_a_script_speaks_to_this_aws_with_a_plain_client(aws: Running) -> None:
    script = f"""
import boto3
boto3.client("s3").put_object(Bucket="{BUCKET}", Key="spoken", Body=b"from a job")
"""
    answer = run(aws, script)
    assert answer["ProcessingJobStatus"] == "Completed"
    assert objects(aws, "spoken") == {"": "from a job"}


def test_a_link_in_an_output_is_uploaded_as_what_it_means_in_the_container(aws: Running) -> None:
    put(aws, linked__x="content")
    script = f"import os; os.symlink('{INPUT}/data/x', '{OUTPUT}/out/y')"
    answer = run(
        aws,
        script,
        inputs=[source("data", f"s3://{BUCKET}/linked/")],
        outputs=[to("out", f"s3://{BUCKET}/links")],
    )
    assert answer["ProcessingJobStatus"] == "Completed", answer
    assert objects(aws, "links/") == {"y": "content"}
    answer = run(aws, f"import os; os.symlink('/no/where', '{OUTPUT}/out/y')", outputs=[to("out", f"s3://{BUCKET}/l")])
    assert answer["FailureReason"] == f"ClientError: {OUTPUT}/out has a link to nothing: y."


def test_a_name_is_taken_for_ever_and_an_unknown_one_is_told_as_aws_tells_it(aws: Running) -> None:
    name = create(aws, "print(1)")
    ended(aws, name)
    sagemaker = aws.client("sagemaker")
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="must be unique"):
        sagemaker.create_processing_job(**request(name))
    with pytest.raises(ClientError, match="Could not find requested job with name: nobody") as caught:
        sagemaker.describe_processing_job(ProcessingJobName="nobody")
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_jobs_are_listed_by_name_and_status(aws: Running) -> None:
    good, bad = create(aws, "print(1)"), create(aws, "raise SystemExit(3)")
    ended(aws, good)
    ended(aws, bad)
    sagemaker = aws.client("sagemaker")

    def listed(**filters: Any) -> list[Any]:
        pages = sagemaker.get_paginator("list_processing_jobs").paginate(**filters)
        return [each for page in pages for each in page["ProcessingJobSummaries"]]

    (found,) = listed(NameContains=bad, StatusEquals="Failed")
    assert (found["ProcessingJobName"], found["FailureReason"]) == (bad, SEE_LOG)
    assert listed(NameContains=good, StatusEquals="Failed") == []
    assert {good, bad} <= {each["ProcessingJobName"] for each in listed(MaxResults=3)}
