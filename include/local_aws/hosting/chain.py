"""A model's containers: artifacts extracted, images loaded, requests passed from one to the next."""

import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from include.local_aws.archives import unpack
from include.local_aws.hosting.apart import Apart
from include.local_aws.images import Container, find


class ChainError(RuntimeError):
    """A container of the chain could not be loaded."""


@dataclass(frozen=True)
class ContainerSpec:
    """One container as CreateModel described it. `archive` is its model data's file in the directory that the chain is
    loaded in, empty where it has none.
    """

    image: str
    archive: str
    environment: Mapping[str, str]


def write_specs(path: Path, specs: Sequence[ContainerSpec]) -> None:
    """Write a chain's description for the process that loads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(spec) for spec in specs], indent=1), encoding="utf-8")


def read_specs(path: Path) -> list[ContainerSpec]:
    """What `write_specs` wrote."""
    return [ContainerSpec(**each) for each in json.loads(path.read_text(encoding="utf-8"))]


def extract(archive: Path, target: Path) -> None:
    """Unpack a model.tar.gz. Raises `ChainError`."""
    try:
        unpack(archive, target)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ChainError(f"The model data {archive.name} can't be unpacked as tar.gz: {error}") from error


class Chain:
    """Loaded containers; what one answers is the next one's request, its content type included."""

    def __init__(self, containers: Sequence[Container]) -> None:
        self._containers = tuple(containers)

    def invoke(self, body: bytes, content_type: str, accept: str | None) -> tuple[bytes, str]:
        """One request through the whole chain; `accept` is what the caller wants of the last container."""
        last = len(self._containers) - 1
        for number, container in enumerate(self._containers):
            body, content_type = container.invoke(body, content_type, accept if number == last else None)
        return body, content_type


def load(specs: Sequence[ContainerSpec], work: Path) -> Chain:
    """Extract and load every container below `work`; raises `ChainError` that names the container."""
    containers = []
    for number, spec in enumerate(specs, start=1):
        directory = work / f"container-{number}" / "model"
        directory.mkdir(parents=True, exist_ok=True)
        if spec.archive:
            extract(work / spec.archive, directory)
        try:
            serve = partial(find(spec.image).serve, directory, spec.environment)
            containers.append(Apart(serve) if len(specs) > 1 and _runs_a_script(spec) else serve())
        except Exception as error:
            raise ChainError(f"Container {number} ({spec.image}) could not load its model: {error}") from error
    return Chain(containers)


def _runs_a_script(spec: ContainerSpec) -> bool:
    """Autopilot's own feature container names its program too, and runs ours."""
    return "SAGEMAKER_PROGRAM" in spec.environment and "automl" not in spec.image
