"""Serving with the handlers of the user's inference script, where it has them, and a framework's own where not.

The script is the one that SAGEMAKER_PROGRAM names in SAGEMAKER_SUBMIT_DIRECTORY, which is in the model's archive, or
an archive in S3. It may define ``model_fn(model_dir)``, ``input_fn(body, content_type)``, ``predict_fn(data, model)``,
``output_fn(prediction, accept)``, or ``transform_fn(model, body, content_type, accept)`` for the last three. A body of
text/csv or application/json comes as text, any other as bytes.

A container that runs a script has a process of its own (see `hosting.apart`) and finds its model at /opt/ml/model.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from include.local_aws.images import BadRequest, Container
from include.local_aws.jobs import container, programs
from include.local_aws.scripting import encoders, requirements, source

PROGRAM = "SAGEMAKER_PROGRAM"
DIRECTORY = "SAGEMAKER_SUBMIT_DIRECTORY"
ACCEPT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
_MODEL = str(container.OPT_ML / "model")

Handler = Callable[..., Any]


class UnusableScript(RuntimeError):
    """The container does not come up: its script is missing, or fails to load."""


@dataclass(frozen=True)
class Handlers:
    """What answers a request: the model's loader, and the three steps from a request to its answer."""

    model_fn: Handler
    input_fn: Handler
    predict_fn: Handler
    output_fn: Handler


class ScriptContainer:
    """A loaded model behind the user's handlers."""

    def __init__(self, model: Any, handlers: Handlers, transform: Handler | None, accept: str) -> None:
        self._model = model
        self._handlers = handlers
        self._transform = transform
        self._accept = accept

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """One request through the handlers; what they raise is the container's own fault, unless it is `BadRequest`."""
        wanted = accept if accept and encoders.media_type(accept) != "*/*" else self._accept
        content = _content(body, content_type)
        if self._transform is not None:
            answer = self._transform(self._model, content, content_type, wanted)
        else:
            data = self._handlers.input_fn(content, content_type)
            answer = self._handlers.output_fn(self._handlers.predict_fn(data, self._model), wanted)
        return _response(answer, wanted)


def load(model_dir: Path, environment: Mapping[str, str], defaults: Handlers) -> Container:
    """Load the user's script and with it the model; raises `UnusableScript`."""
    program = environment.get(PROGRAM, "")
    if not program:
        raise UnusableScript(
            f"{PROGRAM} is not set: expected the name of an inference script, with {DIRECTORY} saying where it is."
        )
    first, model_dir = not _home, _at_home(model_dir)
    code = _code(model_dir, environment.get(DIRECTORY, str(container.OPT_ML / "code")))
    if first and _home:
        own = programs.environment(environment)
        os.environ.clear()
        os.environ.update(own)
    else:
        os.environ.update(environment)
    if not (code / program).is_file():
        found = sorted(path.name for path in code.iterdir()) if code.is_dir() else []
        raise UnusableScript(
            f"Expected the script {program} in the source code, found: {', '.join(found) or 'nothing'}."
        )
    try:
        requirements.check(code / "requirements.txt")
    except requirements.NotInstalled as error:
        raise UnusableScript(str(error)) from error
    script = _imported(code, program)
    handlers = Handlers(
        **{name: getattr(script, name, getattr(defaults, name)) for name in Handlers.__dataclass_fields__}
    )
    transform = getattr(script, "transform_fn", None)
    return ScriptContainer(
        handlers.model_fn(str(model_dir)), handlers, transform, environment.get(ACCEPT, encoders.JSON)
    )


_home: list[Path] = []
"""The container directory that is this process's /opt/ml, once there is one."""


def _at_home(model_dir: Path) -> Path:
    if _home:
        return model_dir
    try:
        container.enter(model_dir.parent, wait=False)
    except container.NoContainer as error:
        print(f"The model is at {model_dir}. {error}", flush=True)
        return model_dir
    _home.append(model_dir.parent)
    return Path(_MODEL)


def _code(model_dir: Path, directory: str) -> Path:
    if directory.startswith("s3://"):
        return _fetched(model_dir.parent, directory)
    path = directory.removeprefix("file://")
    if path == _MODEL or path.startswith(f"{_MODEL}/"):
        return model_dir / path.removeprefix(_MODEL).lstrip("/")
    return model_dir.parent / Path(path).relative_to(container.OPT_ML) if path.startswith("/opt/ml/") else Path(path)


def _fetched(home: Path, uri: str) -> Path:
    # Imported here, because few models have their code elsewhere than in their archive, and it is slow.
    from include.local_aws.s3.client import S3Files, S3InputError, split_object_uri

    archive, target = home / "sourcedir.tar.gz", home / "code"
    s3 = S3Files(os.environ["AWS_ENDPOINT_URL"], signed="AWS_ACCESS_KEY_ID" in os.environ)
    try:
        s3.download(*split_object_uri(uri), archive)
        source.unpack(archive, target)
    except (S3InputError, source.SourceError) as error:
        raise UnusableScript(f"{DIRECTORY}: {error}") from error
    return target


_theirs: list[str] = []
"""Source directories that were imported from."""


def _imported(code: Path, program: str) -> ModuleType:
    """The script as a module; modules of an earlier container's source code are not taken for this one's."""
    for directory in _theirs:
        if directory in sys.path:
            sys.path.remove(directory)
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{directory}/"):
                del sys.modules[name]
    _theirs.append(str(code))
    sys.path.insert(0, str(code))
    importlib.invalidate_caches()
    name = Path(program).stem
    spec = importlib.util.spec_from_file_location(name, code / program)
    if spec is None or spec.loader is None:
        raise UnusableScript(f"The script {program} is no Python module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _content(body: bytes, content_type: str) -> str | bytes:
    if encoders.media_type(content_type) not in encoders.TEXT:
        return body
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"Expected UTF-8 text as {content_type}: {error}.") from error


def _response(answer: Any, accept: str) -> tuple[bytes, str]:
    """What a handler may answer with: a body, a body and its content type, or an object that has both."""
    if hasattr(answer, "response") and hasattr(answer, "mimetype"):
        answer = (answer.response, answer.mimetype)
    body, content_type = answer if isinstance(answer, tuple) else (answer, accept)
    if isinstance(body, str):
        return body.encode(), content_type
    if isinstance(body, bytes | bytearray):
        return bytes(body), content_type
    return encoders.encode(body, content_type), content_type
