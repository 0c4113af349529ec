"""Decide again about a finished run, or about predictions from anywhere: ``python -m automl_retraining.replay``.

Reads a run folder (a local one, or an S3 URI), evaluates its scores and decides, with the policy that its decision
records or with another. Neither Airflow nor a network is needed for a local folder.

Exit status: 0 where the decision is the recorded one, byte for byte, or where another policy was asked about; 1 where
it is another one; 2 where the folder or the policy cannot be read.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import yaml
from pydantic import ValidationError

from automl_retraining.core.errors import ConfigError, EvidenceError, RetrainingError
from automl_retraining.core.gate_policy import GatePolicy
from automl_retraining.core.replay import CHALLENGER, FILES, Replay, replay
from automl_retraining.core.section import ProblemType
from automl_retraining.core.yaml_errors import read_yaml, sentences, yaml_sentence


@dataclass(frozen=True)
class Asked:
    """A policy file: the gate, and what a whole pipeline's file says beside it of scores without a manifest."""

    gate: GatePolicy
    problem_type: ProblemType | None = None
    positive_class: str | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m automl_retraining.replay",
        description="Decide again from a run folder alone: the recorded decision, or what another policy would say.",
    )
    parser.add_argument("folder", help="a run folder, local or s3://…, with scores/challenger.csv at least")
    parser.add_argument("--policy", type=Path, help="a pipeline's YAML, or its gate section alone")
    parser.add_argument("--json", action="store_true", help="print the decisions as JSON")
    given = parser.parse_args(arguments)
    try:
        files = read_s3(given.folder) if given.folder.startswith("s3://") else read_local(Path(given.folder))
        asked = read_policy(given.policy) if given.policy else None
        found = replay(
            files,
            asked.gate if asked else None,
            name=Path(given.folder.rstrip("/")).name or "scores",
            problem_type=asked.problem_type if asked else None,
            positive_class=asked.positive_class if asked else None,
        )
    except RetrainingError as error:
        print(f"{given.folder}: {error}", file=sys.stderr)
        return 2
    print(as_json(given.folder, found) if given.json else as_text(given.folder, found, given.policy))
    return 0 if found.equal or given.policy else 1


def read_local(folder: Path) -> dict[str, bytes]:
    """The files of a local run folder that a replay looks at.

    Raises:
        EvidenceError: there is no such folder, or no scores of a challenger in it.
    """
    if not folder.is_dir():
        raise EvidenceError("expected a run folder, found no such folder")
    try:
        files = {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
    except OSError as error:
        raise EvidenceError(f"expected to read {error.filename}, found: {error.strerror}") from error
    if CHALLENGER not in files:
        raise EvidenceError(f"expected the file {CHALLENGER} below it, found none: is it a run folder?")
    return files


def read_s3(uri: str) -> dict[str, bytes]:
    """The same of a run folder in S3, with the credentials, region and endpoint that the environment names.

    Raises:
        StorageError: S3 refuses, or there is no such bucket.
        EvidenceError: there are no scores of a challenger.
    """
    import boto3

    from automl_retraining.sagemaker import storage

    s3 = boto3.client("s3")
    files = {}
    for name in FILES:
        try:
            files[name] = storage.read_bytes(s3, storage.join(uri, name))
        except storage.ObjectMissing:
            continue  # not every run has every file
    if CHALLENGER not in files:
        raise EvidenceError(f"expected the object {CHALLENGER} below it, found none: is it a run folder?")
    return files


def read_policy(path: Path) -> Asked:
    """The policy of a YAML file: a whole pipeline's, or a gate section alone.

    Raises:
        ConfigError: the file cannot be read, or the section is wrong; a sentence for each key.
    """
    try:
        document = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: {yaml_sentence(error)}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: expected a mapping of keys such as metric and margin, found {document!r}")
    whole = "gate" in document
    section = document["gate"] if whole else document
    problem_type = document.get("problem_type") if whole else None
    if problem_type not in (None, *get_args(ProblemType)):
        raise ConfigError(
            f"{path}: key problem_type: expected one of {', '.join(get_args(ProblemType))}, found {problem_type!r}"
        )
    positive = document.get("positive_class") if whole else None
    try:
        gate = GatePolicy.model_validate(section)
    except ValidationError as error:
        lines = (f"{path}: {'gate: ' if whole else ''}{sentence}" for sentence in sentences(error, GatePolicy))
        raise ConfigError("\n".join(lines)) from error
    return Asked(gate, problem_type, None if positive is None else str(positive))


def as_text(folder: str, found: Replay, policy: Path | None) -> str:
    """What people read: the verdict, its reasons, and how it stands to the recorded decision."""
    decision, recorded = found.decision, found.recorded
    lines = [f"{folder}: {decision.verdict}", decision.sentence, ""]
    lines += [f"  {rule.result:5} {rule.name}: {rule.sentence}" for rule in decision.rules]
    lines.append("")
    if found.equal:
        lines.append("Equal to the recorded decision, to the last digit.")
    elif recorded is None:
        lines.append("The folder records no decision.")
    else:
        under = f"under {policy}" if policy else "from its own files"
        lines.append(f"The recorded decision was {recorded.verdict}; {under} it is {decision.verdict}. What differs:")
        lines += [f"  {difference}" for difference in found.differences()]
    return "\n".join(lines)


def as_json(folder: str, found: Replay) -> str:
    """The same for programs."""
    document = {
        "folder": folder,
        "verdict": found.decision.verdict,
        "sentence": found.decision.sentence,
        "equal": found.equal if found.recorded else None,
        "differences": found.differences(),
        "decision": found.decision.model_dump(mode="json"),
        "recorded": found.recorded.model_dump(mode="json") if found.recorded else None,
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
