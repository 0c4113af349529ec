"""Training with the user's script, as the training process of a framework image runs it."""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from include.local_aws.images import AlgorithmError
from include.local_aws.jobs import container, programs
from include.local_aws.scripting import requirements, source, variables

CODE = container.OPT_ML / "code"
SAID_CHARACTERS = 700
"""How much of a script's last words is in the reason, which has 1,024 for all."""


def train(root: Path, *, framework: str) -> None:
    """Run the script that the hyperparameters name, in this process, with /opt/ml being `root`.

    ``sagemaker_program`` is its name, ``sagemaker_submit_directory`` where it stands: an archive in S3, which the
    supervisor has fetched, or a directory of the container; by default the channel ``code``, or /opt/ml/code.
    `framework` is the entry point that the image's toolkit has, for SM_FRAMEWORK_MODULE. Raises `AlgorithmError`.
    """
    given = json.loads((root / "job.json").read_text("utf-8"))["request"].get("Environment", {})
    jobs = {name: value for name, value in os.environ.items() if name.startswith("TRAINING_JOB_")}
    jobs["AWS_REGION"] = os.environ.get("AWS_REGION", "")
    container.enter(root)
    config = container.OPT_ML / "input" / "config"
    hyperparameters = source.decoded(json.loads((config / "hyperparameters.json").read_text("utf-8")))
    program = hyperparameters.get(source.PROGRAM)
    if not isinstance(program, str) or not program:
        raise AlgorithmError(
            f"framework error: the image needs a script: expected the hyperparameter {source.PROGRAM}, found none. "
            f"Give it, with {source.DIRECTORY} (the S3 URI of a sourcedir.tar.gz)."
        )
    _place(hyperparameters.get(source.DIRECTORY), program)
    told = variables.variables(config, hyperparameters, program, framework)
    environment = programs.environment({**jobs, **told, **given})
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(CODE), environment.get("PYTHONPATH"))))
    try:
        requirements.install(CODE / "requirements.txt", environment)
    except requirements.NotInstalled as error:
        raise AlgorithmError(str(error)) from error
    _execute(program, variables.arguments(hyperparameters), environment)


def _place(directory: object, program: str) -> None:
    """Put the source code at /opt/ml/code."""
    archive, channel = container.OPT_ML / source.ARCHIVE, container.OPT_ML / "input" / "data" / "code"
    try:
        if archive.is_file():
            source.unpack(archive, CODE)
        elif isinstance(directory, str) and Path(directory.removeprefix("file://")).is_dir():
            source.copy(Path(directory.removeprefix("file://")), CODE)
        elif channel.is_dir():
            source.copy(channel, CODE)
    except source.SourceError as error:
        raise AlgorithmError(f"framework error: {error}") from error
    if not (CODE / program).is_file():
        found = sorted(path.name for path in CODE.iterdir()) if CODE.is_dir() else []
        what = ", ".join(found) or "nothing"
        raise AlgorithmError(f"framework error: expected the script {program} in the source code, found: {what}.")


def _execute(program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    if program.endswith(".py"):
        words = ["python", program, *arguments]
        try:
            programs.run_python(program, arguments, environment, str(CODE))
        except programs.ScriptFailed as failed:
            raise _failed(failed.exit_code, failed.said, words) from failed
        return
    words = ["/bin/sh", "-c", shlex.join([f"./{program}", *arguments])]
    (CODE / program).chmod(0o755)
    done = subprocess.run(words, cwd=CODE, env=dict(environment), stderr=subprocess.PIPE, text=True, check=False)
    print(done.stderr, end="", flush=True)
    if done.returncode != 0:
        raise _failed(done.returncode, done.stderr.strip(), words)


def _failed(code: int, said: str, command: Sequence[str]) -> AlgorithmError:
    lines = said.removeprefix("Traceback (most recent call last):\n")
    message = lines if len(lines) <= SAID_CHARACTERS else f"…{lines[-SAID_CHARACTERS:]}"
    return AlgorithmError(
        f'ExecuteUserScriptError:\nExitCode {code}\nErrorMessage "{message}"\nCommand "{" ".join(command)}"'
    )
