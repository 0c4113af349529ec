"""What the process of an AutoML job runs."""

from pathlib import Path


def main(root: str) -> None:
    """Run the search below the job's directory."""
    from include.local_aws.images.autopilot.search import run

    run(Path(root))
