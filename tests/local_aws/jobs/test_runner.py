"""Places to run in, and how jobs end."""

import os
import queue
import re
import threading
import time
from collections.abc import Iterator

import pytest

from include.local_aws.jobs.forkserver import ForkServer, Process
from include.local_aws.jobs.logs import Logs, Stream
from include.local_aws.jobs.runner import Job, JobFailed, Runner, check_exit
from include.local_aws.jobs.slots import Slots
from include.local_aws.monitoring import Monitoring
from include.local_aws.s3.client import S3Files
from include.local_aws.sagemaker.call import Services
from include.local_aws.store import Store


def test_places_are_given_in_the_order_of_asking() -> None:
    slots = Slots(1)
    assert slots.take(threading.Event())
    got: list[int] = []
    waiting: list[threading.Thread] = []

    def ask(number: int) -> None:
        slots.take(threading.Event())
        got.append(number)
        slots.give_back()

    for number in range(3):
        waiting.append(threading.Thread(target=ask, args=(number,)))
        waiting[-1].start()
        while len(slots._waiting) <= number:
            pass
    slots.give_back()
    for thread in waiting:
        thread.join()
    assert got == [0, 1, 2]


def test_one_who_gives_up_takes_no_place() -> None:
    slots = Slots(1)
    assert slots.take(threading.Event())
    cancelled = threading.Event()
    cancelled.set()
    assert not slots.take(cancelled)
    slots.give_back()
    assert slots.take(threading.Event())


def test_one_who_gives_up_while_waiting_is_told_at_once_and_the_next_one_moves_up() -> None:
    slots = Slots(1)
    assert slots.take(threading.Event())
    cancelled = threading.Event()
    answers: queue.Queue[tuple[str, bool]] = queue.Queue()
    for name, event in (("first", cancelled), ("second", threading.Event())):
        threading.Thread(target=lambda n=name, e=event: answers.put((n, slots.take(e)))).start()
        while len(slots._waiting) < (1 if name == "first" else 2):
            pass
    cancelled.set()
    slots.wake()
    assert answers.get(timeout=10) == ("first", False)
    slots.give_back()
    assert answers.get(timeout=10) == ("second", True)


class ScriptJob(Job):
    """A job that runs a script, and notes what became of it."""

    target = "runpy:run_path"  # of a directory: its __main__.py

    def __init__(self, services: Services, name: str, script: str, limit: float | None = None) -> None:
        super().__init__(services, "here", "script", name)
        self.script, self.limit = script, limit
        self.ended: queue.Queue[str] = queue.Queue()

    @property
    def stream(self) -> Stream:
        return Stream(self.region, "/group", self.name)

    def time_limit(self) -> float | None:
        return self.limit

    def prepare(self) -> None:
        (self.root / "__main__.py").write_text(self.script)

    def tick(self) -> None:
        pass

    def complete(self, *, timed_out: bool) -> None:
        self.ended.put(f"completed, timed_out={timed_out}")

    def fail(self, reason: str) -> None:
        self.ended.put(f"failed: {reason}")

    def stopped(self) -> None:
        self.ended.put("stopped")


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("runner")
    forks = ForkServer(folder)
    forks.begin()
    store = Store(folder / "state.sqlite")
    nowhere = "http://127.0.0.1:9"
    monitoring = Monitoring(folder, store, nowhere)
    yield Services(folder, store, S3Files(nowhere, signed=False), Logs(folder / "logs", nowhere), forks, monitoring)
    forks.stop()
    store.close()


FAILURE = "from pathlib import Path; import sys; Path('output/failure').write_text('because'); sys.exit(1)"


@pytest.mark.local_aws
@pytest.mark.parametrize(
    ("name", "script", "limit", "end"),
    [
        ("good", "print('hello')", None, "completed, timed_out=False"),
        ("reason", FAILURE, None, "failed: because"),
        (
            "code",
            "import sys; print('last words'); sys.exit(3)",
            None,
            "failed: AlgorithmError: .* exit code 3 .*last words",
        ),
        ("killed", "import os; os.kill(os.getpid(), 9)", None, "failed: AlgorithmError: .* signal 9 "),
        ("long", "import time; time.sleep(600)", 0.3, "completed, timed_out=True"),
    ],
)
def test_a_job_ends_as_its_process_did(
    services: Services, name: str, script: str, limit: float | None, end: str
) -> None:
    job = ScriptJob(services, name, script, limit)
    Runner(services).start(job)
    assert re.match(end, job.ended.get(timeout=30))


@pytest.mark.local_aws
def test_of_a_job_that_is_over_or_was_cut_off_only_its_log_and_its_request_stay(services: Services) -> None:
    script = (
        "import tempfile; from pathlib import Path; Path(tempfile.mkdtemp(), 'left').write_text('x');"
        "Path('output/artifacts').mkdir(); Path('output/artifacts/model').write_text('x'); print(tempfile.gettempdir())"
    )
    job = ScriptJob(services, "bulky", script)
    runner = Runner(services)
    runner.start(job)
    assert job.ended.get(timeout=30) == "completed, timed_out=False"
    while runner.running():
        time.sleep(0.01)
    assert (job.root / "log.txt").read_text() == f"{job.root / 'tmp'}\n"
    assert sorted(path.name for path in job.root.rglob("*")) == ["__main__.py", "config", "input", "log.txt", "output"]
    (job.root / "tmp").mkdir()
    (job.root / "container-1" / "model").mkdir(parents=True)
    Runner(services)
    assert sorted(path.name for path in job.root.iterdir()) == ["__main__.py", "input", "log.txt", "output"]


@pytest.mark.local_aws
def test_a_stopped_job_ends_as_stopped_and_its_log_is_kept(services: Services) -> None:
    job = ScriptJob(services, "stop", "import time; print('begun', flush=True); time.sleep(600)")
    runner = Runner(services)
    runner.start(job)
    kept = services.directory / "logs" / "here" / "%2Fgroup" / "stop.jsonl"
    deadline = time.monotonic() + 20
    while not (kept.exists() and "begun" in kept.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    runner.stop("script", "here", "stop")
    assert job.ended.get(timeout=30) == "stopped"


@pytest.mark.local_aws
def test_a_job_that_waits_for_a_core_can_be_stopped_and_never_runs(services: Services) -> None:
    runner = Runner(services)
    running = [
        ScriptJob(services, f"full-{n}", "import time; time.sleep(600)") for n in range(max(2, os.cpu_count() or 1))
    ]
    for job in running:
        runner.start(job)
    deadline = time.monotonic() + 20
    while not all((job.root / "log.txt").exists() for job in running):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    waiting = ScriptJob(services, "waiting", "print('never')")
    runner.start(waiting)
    runner.stop("script", "here", "waiting")
    assert waiting.ended.get(timeout=30) == "stopped"
    assert not waiting.root.exists()
    for job in running:
        runner.stop("script", "here", job.name)
        assert job.ended.get(timeout=30) == "stopped"


@pytest.mark.local_aws
def test_a_stop_that_comes_between_the_record_and_the_start_is_not_lost(services: Services) -> None:
    job = ScriptJob(services, "at-once", "print('never')")
    runner = Runner(services)
    services.store.insert("script", "here", "at-once", "Stopping", {})
    runner.stop("script", "here", "at-once")  # as StopTransformJob does: the record first, then this, too early
    runner.start(job)
    assert job.ended.get(timeout=30) == "stopped"
    assert not job.root.exists()


HOARD = "hoard = [bytearray(1 << 20) for _ in range(400)]"
TWO_HOARD = f"""
import os, time
os.fork()
{HOARD.replace("400", "180")}
time.sleep(600)
"""


@pytest.mark.local_aws
@pytest.mark.parametrize(
    ("name", "script"),
    [
        ("python", HOARD),
        ("numpy", "import numpy; hoard = numpy.ones(50_000_000)"),
        (
            "told",
            f"import pathlib, sys\ntry:\n    {HOARD}\nexcept MemoryError as error:\n"
            "    pathlib.Path('output/failure').write_text(repr(error))\n    sys.exit(1)",
        ),
        ("two", TWO_HOARD),
    ],
)
def test_a_job_that_wants_more_memory_than_it_may_have_fails_and_says_how_much_that_is(
    services: Services, monkeypatch: pytest.MonkeyPatch, name: str, script: str
) -> None:
    monkeypatch.setattr(services.forks, "job_memory", 300 * 1024 * 1024)
    job = ScriptJob(services, f"memory-{name}", script)
    Runner(services).start(job)
    ended = job.ended.get(timeout=30)
    assert ended.startswith("failed: AlgorithmError: out of memory. A job may use 300 MB here"), ended


@pytest.mark.local_aws
def test_many_jobs_at_once_all_end_and_no_more_of_them_run_together_than_there_are_places(services: Services) -> None:
    runner = Runner(services)
    marks = services.directory / "marks"
    marks.mkdir()
    script = (
        "import pathlib, time; mark = pathlib.Path({name!r}); mark.touch();"
        "print(len(list(mark.parent.iterdir()))); time.sleep(0.02); mark.unlink()"
    )
    jobs = [ScriptJob(services, f"many-{n}", script.format(name=str(marks / str(n)))) for n in range(50)]
    for job in jobs:
        runner.start(job)
    assert {job.ended.get(timeout=60) for job in jobs} == {"completed, timed_out=False"}
    together = [int((job.root / "log.txt").read_text()) for job in jobs]
    assert max(together) <= max(2, os.cpu_count() or 1)


def test_a_kill_by_the_kernel_is_told_as_what_it_was(services: Services) -> None:
    job = ScriptJob(services, "oom", "")
    killed = Process(exit_code=-9)
    with pytest.raises(JobFailed, match=r"out of memory\. The kernel killed the job's process \(signal 9\)"):
        check_exit(job, killed, 1, by_kernel=True)
    with pytest.raises(JobFailed, match=r"ended with signal 9 and left no reason"):
        check_exit(job, killed, 1, by_kernel=False)
