"""A handful of rounds of chaos: three pipelines alike, each hurt in its own way at once, end alike.

The long run, over all stories and harms, is ``python -m tests.chaos``.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from scripts.stack import BUCKET, salt_of
from tests.acceptance.conftest import World
from tests.chaos.folder import differences, fingerprint
from tests.chaos.harm import Harms
from tests.chaos.ledger import Ledger, duplicates, stopped_by_mistake
from tests.chaos.rounds import Round
from tests.chaos.watch import Watch

ROUNDS = {
    "accept_chaos_a": Round(0, "tuned", "task", 0.5, 0.0),
    "accept_chaos_b": Round(1, "tuned", "lost answer", 0.1, 0.0),
    "accept_chaos_c": Round(2, "tuned", "triggerer", 0.6, 0.0),
}
"""By pipeline, what happens to its run and when: moments are shares of ``UNDISTURBED`` seconds."""
UNDISTURBED = 20.0
JOBS = {"processing": 1, "training": 1, "transform": 1}
RUN_ID = "chaos-acceptance"


def test_runs_hurt_in_different_ways_make_each_job_once_and_leave_the_same(world: World) -> None:
    """Each succeeds, none of its jobs is made twice or stopped, and the three folders are the same.

    At every moment the model that an endpoint served was one that the gate had promoted.
    """
    s3, harms = world.stack.aws_client("s3"), Harms(world.stack, ("triggerer",))
    for name in ROUNDS:
        # The same split in all three: which rows are test rows follows from the salt.
        state = json.dumps({"salt": salt_of("accept_chaos"), "cutoff": None}).encode()
        s3.put_object(Bucket=BUCKET, Key=f"{name}/state/split.json", Body=state)
        world.api.wait_for_dag(f"tuned_{name}")
        world.api.unpause(f"tuned_{name}")
    watches = {name: Watch(world.stack, "art-" + name.replace("_", "-"), _row(world)) for name in ROUNDS}

    def hurt(name: str) -> str:
        return harms.do(world.api, ROUNDS[name], f"tuned_{name}", RUN_ID, UNDISTURBED)

    with ExitStack() as stack, ThreadPoolExecutor(len(ROUNDS)) as pool:
        for watch in watches.values():
            stack.enter_context(watch)
        for name in ROUNDS:
            world.api.trigger(f"tuned_{name}", {}, RUN_ID)
        hit = dict(zip(ROUNDS, pool.map(hurt, ROUNDS), strict=True))
        for name in ROUNDS:
            dag_id = f"tuned_{name}"
            assert world.wait(dag_id, RUN_ID, 400) == "success", world.explain(dag_id, RUN_ID)
        world.until(lambda: all(watch.looks for watch in watches.values()), "every endpoint was looked at", 60)
    assert "nothing" not in hit.values(), hit

    ledger = Ledger(world.stack.aws_client("sagemaker"))
    folders = {}
    for name in ROUNDS:
        jobs = ledger.jobs(f"tuned_{name}", RUN_ID)
        assert sorted(each.kind for each in jobs) == sorted(JOBS), (hit, jobs)
        assert duplicates(jobs, JOBS, None) == []
        assert stopped_by_mistake(jobs, None) == []
        folders[name] = fingerprint(s3, BUCKET, f"{name}/runs/{RUN_ID}/", re.compile("accept[_-]chaos[_-][abc]"))
    one, *others = folders.values()
    assert {"decision.json", "outcome.json", "evaluation.json", "scores/challenger.csv"} <= one.keys()
    assert [differences(one, other) for other in others] == [[], []]
    for name, watch in watches.items():
        assert (watch.unpassed, watch.refused, watch.broken) == ([], [], []), name
        assert len(watch.models) == 1


def _row(world: World) -> bytes:
    """A row as the endpoint takes it: the table's first, without its target and the dropped name."""
    header, first = ((world.data / "auto_mpg.csv").read_text().splitlines()[n].split(",") for n in (0, 1))
    return ",".join(v for name, v in zip(header, first, strict=True) if name not in ("mpg", "name")).encode()
