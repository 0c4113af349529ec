"""``python -m tests.chaos --rounds 100 --seed 7``: exit status 0 only if every count that should be 0 is."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.rounds import HARMS, draw
from tests.chaos.suite import Suite, started


def main() -> int:
    """Run the rounds and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--harm", action="append", choices=list(HARMS), help="only this harm (may be repeated)")
    parser.add_argument("--state", type=Path, help="a new folder for everything that is written; kept")
    arguments = parser.parse_args()
    rounds = draw(arguments.rounds, arguments.seed, tuple(arguments.harm or HARMS))
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        with started(arguments.state or Path(folder)) as (stack, triggerers):
            suite = Suite(stack, triggerers)
            suite.run(rounds, say=lambda line: print(line, flush=True))
        print(suite.table(arguments.seed))
    complete = len(suite.stories) == arguments.rounds and all(watch.answered for watch in suite.watches)
    return 0 if complete and not any(suite.counts().values()) else 1


if __name__ == "__main__":
    sys.exit(main())
