"""Write plugins/automl_retraining/sagemaker/images.json from the SageMaker SDK's own table.

Run by ``make images`` in the clients' environment, which has the SDK; the project itself never imports it. A test holds
the file against ``image_uris.retrieve`` for every region and version.
"""

import json
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from sagemaker.core import image_uris
from sagemaker.core.image_uris import config_for_framework

TARGET = Path(__file__).resolve().parents[1] / "plugins" / "automl_retraining" / "sagemaker" / "images.json"
IMAGES = {"xgboost": "xgboost", "scikit-learn": "sklearn", "linear-learner": "linear-learner"}
"""Our name of the image and the SDK's."""
INSTANCE_TYPE = "ml.m5.large"
"""Any type without a GPU: it chooses the tag's ``-cpu-``."""


def table() -> dict[str, Any]:
    """The images with their versions; per version the tag, the repository and the accounts by region."""
    images: dict[str, Any] = {}
    for ours, theirs in IMAGES.items():
        config = config_for_framework(theirs)
        config = config.get("training", config)
        versions: dict[str, Any] = {}
        accounts: list[dict[str, str]] = []
        for version, facts in config["versions"].items():
            try:
                uris = {region: retrieve(theirs, region, version) for region in facts["registries"]}
            except ValueError as error:
                # A version that the SDK itself refuses to name without an accelerator or another interpreter.
                print(f"left out: {ours} {version}: {error}")
                continue
            split = {region: uri.split(".", 1)[0] for region, uri in uris.items()}
            names = {uri.rsplit("/", 1)[1] for uri in uris.values()}
            assert len(names) == 1, f"{ours} {version} has several names: {names}"
            repository, _, tag = names.pop().partition(":")
            if split not in accounts:
                accounts.append(split)
            versions[version] = {"repository": repository, "tag": tag, "accounts": accounts.index(split)}
        aliases = {alias: full for alias, full in config.get("version_aliases", {}).items() if full in versions}
        images[ours] = {"versions": versions, "aliases": aliases, "accounts": accounts}
    return {"sagemaker": installed("sagemaker"), "domains": domains(images), "images": images}


def retrieve(framework: str, region: str, version: str) -> str:
    """The SDK's answer."""
    return str(image_uris.retrieve(framework, region, version=version, instance_type=INSTANCE_TYPE))


def domains(images: dict[str, Any]) -> dict[str, str]:
    """The registry's domain of each region that is not ``amazonaws.com``."""
    regions = {region for image in images.values() for accounts in image["accounts"] for region in accounts}
    found = {}
    for region in sorted(regions):
        for ours, image in images.items():
            for version, facts in image["versions"].items():
                if region in image["accounts"][facts["accounts"]]:
                    host = retrieve(IMAGES[ours], region, version).split("/", 1)[0]
                    found[region] = host.split(f".{region}.", 1)[1]
    return {region: domain for region, domain in found.items() if domain != "amazonaws.com"}


if __name__ == "__main__":
    TARGET.write_text(json.dumps(table(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"wrote {TARGET}")
