"""Rounds of chaos on one stack: each story in a lane of its own, all under the same harms."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.airflow_api import FINISHED, AirflowApi
from scripts.stack import BUCKET, ROOT, Stack
from tests.chaos.folder import differences, fingerprint
from tests.chaos.harm import TRIGGERER_HEALTH_SECONDS, Harms, instances, patient
from tests.chaos.ledger import Ledger, Made, duplicates, stopped_by_mistake
from tests.chaos.rounds import STORIES, Round
from tests.chaos.watch import Watch

FIRST = {"refit": "tuned_chaos_refit"}
"""By story, the DAG that makes the first champion, where it is another."""
LIMIT = 900.0
"""Seconds after which a run that has not ended is lost."""
ENVIRONMENT = {
    # A task whose process or scheduler was killed is found within half a minute, not within Airflow's five.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "5",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": str(TRIGGERER_HEALTH_SECONDS),
}
COUNTS = ("duplicate jobs", "jobs stopped by mistake", "lost runs", "folders that differ")


@dataclass(frozen=True)
class Undisturbed:
    """What a story does when nothing happens to it."""

    seconds: float
    jobs: Mapping[str, int]
    folder: Mapping[str, str]


@dataclass
class Story:
    """A round as it went: enough to see what happened when a count is not 0."""

    planned: Round
    run_id: str
    hit: str = "nothing"
    state: str = ""
    seconds: float = 0.0
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def tell(self) -> str:
        """The round in lines."""
        plan = self.planned
        lines = [
            f"round {plan.number}: {plan.story} {self.run_id}, {plan.harm} at {plan.moment:.2f} of its time hit "
            f"{self.hit}; {self.state or 'not ended'} after {self.seconds:.0f} s"
        ]
        lines += [f"    {count}: {said}" for count, all_said in self.wrong.items() for said in all_said[:6]]
        return "\n".join(lines)


def prepare(state: Path) -> tuple[Path, Path]:
    """Write the tables and the pipelines below ``state``; the folders of both."""
    data, pipelines = state / "chaos_data", state / "chaos_pipelines"
    data.mkdir(parents=True)
    lines = (ROOT / "include" / "data" / "churn.csv").read_bytes().splitlines(keepends=True)
    (data / "churn.csv").write_bytes(b"".join(lines[:1201]))
    pipelines.mkdir()
    for path in (Path(__file__).parent / "pipelines").glob("*.yaml"):
        (pipelines / path.name).write_text(path.read_text().replace("$DATA", str(data)))
    return data, pipelines


@contextlib.contextmanager
def started(state: Path) -> Iterator[tuple[Stack, tuple[str, ...]]]:
    """A stack of the suite's own with two triggerers, and their names."""
    data, pipelines = prepare(state)
    environment = {
        **ENVIRONMENT,
        "AUTOML_RETRAINING_DATA_DIRS": str(data),
        "AUTOML_RETRAINING_PIPELINES": str(pipelines),
    }
    with Stack(state, environment=environment) as stack:
        stack.start_component("triggerer", "triggerer 2")
        for path in pipelines.glob("*.yaml"):
            stack.fix_split(path.stem)
        yield stack, ("triggerer", "triggerer 2")


@dataclass
class Suite:
    """Runs the rounds and keeps the counts."""

    stack: Stack
    triggerers: tuple[str, ...]
    prefix: str = "chaos"
    stories: list[Story] = field(default_factory=list)
    watches: list[Watch] = field(default_factory=list)
    undisturbed: dict[str, Undisturbed] = field(default_factory=dict)
    left: list[tuple[str, str]] = field(default_factory=list)
    """Runs that were over and had a job in progress still: for the sweep."""
    unswept: list[str] = field(default_factory=list)
    """Jobs that run on after the sweep."""

    def __post_init__(self) -> None:
        self.harms = Harms(self.stack, self.triggerers)
        self.ledger = Ledger(self.stack.aws_client("sagemaker"))
        self._api = AirflowApi(self.stack.airflow_url, "admin", self.stack.passwords["admin"])

    def run(self, rounds: list[Round], say: Any = print) -> None:
        """Warm up each story, then disturb it round by round; the lanes go on at the same time."""
        lanes = {name: [each for each in rounds if each.story == name] for name in STORIES}
        lanes = {name: lane for name, lane in lanes.items() if lane}
        ready = threading.Barrier(len(lanes))
        with ThreadPoolExecutor(len(lanes)) as pool:
            done = [pool.submit(self._lane, name, lane, ready, say) for name, lane in lanes.items()]
            for each in done:
                each.result()
        self.harms.wait_until_healthy()
        self._sweep()

    def _sweep(self) -> None:
        """Run the DAG ``sweep`` for good, and look again at what the rounds left to it."""
        self._finish("sweep", f"{self.prefix}-sweep", {"dry_run": False, "grace": 0})
        for dag_id, run_id in self.left:
            jobs = self._settled(dag_id, run_id)
            self.unswept += [f"{each.kind} job {each.name} of {run_id}" for each in jobs if each.phase == "waiting"]

    def _lane(self, name: str, lane: list[Round], ready: threading.Barrier, say: Any) -> None:
        try:
            dag_id = STORIES[name]
            with contextlib.ExitStack() as stack:
                self._first(name)
                self.undisturbed[name] = self._undisturbed(name)
                watch = Watch(self.stack, f"art-chaos-{name}", self._row(name))
                self.watches.append(stack.enter_context(watch))
                say(f"{name}: {self.undisturbed[name].seconds:.0f} s undisturbed, jobs {self.undisturbed[name].jobs}")
                ready.wait()
                for planned in lane:
                    story = self._round(planned, dag_id)
                    self.stories.append(story)
                    say(story.tell())
        except BaseException:
            ready.abort()
            raise

    def _first(self, name: str) -> None:
        """The first champion: another gate than all that follow, which compare."""
        dag_id = FIRST.get(name, STORIES[name])
        self._finish(dag_id, f"{self.prefix}-first")
        if dag_id != STORIES[name]:
            patient(lambda: self._api.send("PATCH", f"dags/{dag_id}", {"is_paused": True}))

    def _undisturbed(self, name: str) -> Undisturbed:
        """Two runs that nothing happens to; the second has the same kind of champion as all that follow."""
        dag_id = STORIES[name]
        self._finish(dag_id, f"{self.prefix}-second")
        run_id = f"{self.prefix}-undisturbed"
        began = time.monotonic()
        self._finish(dag_id, run_id)
        seconds = time.monotonic() - began
        jobs = Counter(each.kind for each in self.ledger.jobs(dag_id, run_id))
        return Undisturbed(seconds, dict(jobs), self._fingerprint(name, run_id))

    def _round(self, planned: Round, dag_id: str) -> Story:
        story = Story(planned, f"{self.prefix}-{planned.number}")
        expected = self.undisturbed[planned.story]
        began = time.monotonic()
        patient(lambda: self._trigger(dag_id, story.run_id))
        story.hit = self.harms.do(self._api, planned, dag_id, story.run_id, expected.seconds)
        # Of a run that was cleared, what was made before may be stopped, and may be made again.
        cleared = datetime.now(UTC) if planned.harm == "clear" and story.hit != "nothing" else None
        marked = planned.harm == "mark failed" and story.hit != "nothing"
        story.state = self._wait(dag_id, story.run_id)
        story.seconds = time.monotonic() - began
        jobs = self._settled(dag_id, story.run_id)
        mistaken = [] if marked else stopped_by_mistake(jobs, cleared)
        wrong = {
            "duplicate jobs": duplicates(jobs, expected.jobs, cleared),
            "jobs stopped by mistake": mistaken,
            "lost runs": self._lost(dag_id, story, "failed" if marked else "success"),
        }
        if any(each.phase == "waiting" for each in jobs):
            self.left.append((dag_id, story.run_id))
        if story.state == "success":
            found = self._fingerprint(planned.story, story.run_id)
            wrong["folders that differ"] = differences(dict(expected.folder), found, allowed_more=cleared is not None)
        story.wrong = {count: said for count, said in wrong.items() if said}
        return story

    def _lost(self, dag_id: str, story: Story, expected: str) -> list[str]:
        if story.state == expected:
            return []
        tasks = patient(lambda: instances(self._api, dag_id, story.run_id))
        states = ", ".join(f"{task['task_id']} {task['state']}" for task in tasks if task["state"] != "success")
        said = [f"expected {expected}, found {story.state or 'no end'}: {states}"]
        for task in tasks:
            if task["state"] == "failed" and task["map_index"] < 0:
                log = self._log(dag_id, story.run_id, task)
                said.append(f"{task['task_id']} ended with: {log[-600:]}")
        return said

    def _log(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        return str(patient(lambda: self._api.task_log(dag_id, run_id, task["task_id"], task["try_number"])))

    def _settled(self, dag_id: str, run_id: str, seconds: float = 60) -> list[Made]:
        """The run's jobs once none of them runs any more, or after a minute."""
        deadline = time.monotonic() + seconds
        while True:
            jobs = self.ledger.jobs(dag_id, run_id)
            if not any(each.phase in ("waiting", "stopping") for each in jobs) or time.monotonic() > deadline:
                return jobs
            time.sleep(1)

    def _finish(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> None:
        patient(lambda: self._api.wait_for_dag(dag_id, 240))
        patient(lambda: self._api.unpause(dag_id))
        patient(lambda: self._trigger(dag_id, run_id, conf))
        state = self._wait(dag_id, run_id)
        if state != "success":
            states = {each["task_id"]: each["state"] for each in instances(self._api, dag_id, run_id)}
            raise RuntimeError(f"{dag_id} {run_id}: expected an undisturbed run to succeed, found {state}: {states}")

    def _trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any] | None = None) -> None:
        """Trigger unless a try before did so and its answer was lost."""
        if self._api.find(f"dags/{dag_id}/dagRuns/{run_id}") is None:
            self._api.trigger(dag_id, conf, run_id)

    def _wait(self, dag_id: str, run_id: str) -> str:
        """The state that the run ended in, empty where it did not end within ``LIMIT``."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            state = str(patient(lambda: self._api.run(dag_id, run_id)["state"]))
            if state in FINISHED:
                return state
            time.sleep(0.5)
        return ""

    def _fingerprint(self, name: str, run_id: str) -> dict[str, str]:
        s3 = self.stack.aws_client("s3")
        given = re.compile(rf"\b{re.escape(self.prefix)}-(first|second|undisturbed|\d+)\b")
        return fingerprint(s3, BUCKET, f"chaos_{name}/runs/{run_id}/", given)

    def _row(self, name: str) -> bytes:
        """A row of the undisturbed run's test part, as the endpoint takes it: without the row's id."""
        s3 = self.stack.aws_client("s3")
        key = f"chaos_{name}/runs/{self.prefix}-undisturbed/data/transform/test.csv"
        with_id: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().splitlines()[0]
        return with_id.partition(b",")[2]

    def table(self, seed: int) -> str:
        """What was counted; and the story of every round that went wrong."""
        lines = [f"seed {seed}", f"{len(self.stories):6} rounds"]
        lines += [f"{count:6} {harm}" for harm, count in sorted(self.harms.counts.items())]
        lines += [f"{sum(story.hit == 'nothing' for story in self.stories):6} rounds that were over before the moment"]
        lines += [f"{len(self.left):6} runs that left a job to the sweep"]
        lines += [f"{count:6} {name}" for name, count in self.counts().items()]
        answered, refused = sum(w.answered for w in self.watches), sum(len(w.refused) for w in self.watches)
        lines += [f"{answered:6} requests answered by endpoints, {refused} not, "
                  f"{sum(len(w.models) for w in self.watches)} models served"]  # fmt: skip
        lines += [story.tell() for story in self.stories if story.wrong]
        lines += self.unswept
        for watch in self.watches:
            lines += [*watch.unpassed[:5], *watch.refused[:5], *watch.broken]
        return "\n".join(lines)

    def counts(self) -> dict[str, int]:
        """What must be 0."""
        found = {name: sum(len(story.wrong.get(name, ())) for story in self.stories) for name in COUNTS}
        for name in ("lost runs", "folders that differ"):
            found[name] = sum(name in story.wrong for story in self.stories)
        found["jobs left running after the sweep"] = len(self.unswept)
        found["moments with a model that no gate passed"] = sum(len(watch.unpassed) for watch in self.watches)
        found["requests that an endpoint did not answer"] = sum(len(watch.refused) for watch in self.watches)
        found["watches that broke"] = sum(len(watch.broken) for watch in self.watches)
        return found
