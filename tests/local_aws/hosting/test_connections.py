"""The front's connections to a serving process."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from include.local_aws.hosting.connections import Moved, NoAnswer, Pool
from include.local_aws.hosting.frames import INVOKE, PING, BrokenFrame, Frame, packed, ping, receive, unpacked


class Process:
    """Answers as a serving process does; holds an answer back until `go` is set, and ends the connection on request."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.asked: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            try:
                while (frame := receive(connection)) is not None:
                    self.asked.append(frame.body)
                    if frame.body == b"die":
                        return
                    self.go.wait(30)
                    connection.sendall(packed(Frame(200, frame.body * 2, frame.content_type)))
            except ConnectionError:
                return  # the caller went away, as some tests want

    def end(self) -> None:
        self._listener.close()


@pytest.fixture
def process() -> Iterator[Process]:
    made = Process()
    yield made
    made.go.set()
    made.end()


@asynccontextmanager
async def pooled(process: Process, limit: int) -> AsyncIterator[Pool]:
    pool = Pool(process.port, limit)
    try:
        yield pool
    finally:
        pool.end()
        await asyncio.sleep(0.01)  # connections are closed in the loop's next turn


def request(body: bytes) -> Frame:
    return Frame(INVOKE, body, "text/csv")


def test_a_frame_is_read_when_it_is_whole() -> None:
    frame = Frame(INVOKE, b"1,2\n" * 1000, "text/csv", "application/json")
    sent = packed(frame)
    assert unpacked(sent) == frame
    assert all(unpacked(sent[:length]) is None for length in (0, 3, 8, 400, len(sent) - 1))


def test_a_ping_tells_whether_a_process_answers(process: Process) -> None:
    assert ping(process.port, 5)
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        assert not ping(nobody.getsockname()[1], 0.1)
    assert PING != INVOKE


def test_connections_are_kept_and_answers_find_their_callers(process: Process) -> None:
    async def all_of_them() -> list[Frame]:
        async with pooled(process, limit=2) as pool:
            return await asyncio.gather(*(pool.ask(request(b"%d" % number), 30) for number in range(200)))

    answers = asyncio.run(all_of_them())
    assert [answer.body for answer in answers] == [b"%d" % number * 2 for number in range(200)]
    assert process.connections == 2


def test_a_request_that_waits_for_a_process_that_is_to_end_goes_elsewhere_and_one_under_way_is_answered(
    process: Process,
) -> None:
    process.go.clear()

    async def ended() -> list[Frame | BaseException]:
        async with pooled(process, limit=1) as pool:
            asked = [asyncio.ensure_future(pool.ask(request(b"%d" % number), 30)) for number in range(3)]
            while not process.asked:
                await asyncio.sleep(0.01)
            pool.end()
            process.go.set()
            answers = await asyncio.gather(*asked, return_exceptions=True)
            with pytest.raises(Moved):
                await pool.ask(request(b"late"), 30)
            return answers

    first, *others = asyncio.run(ended())
    assert first == Frame(200, b"00", "text/csv")
    assert all(isinstance(other, Moved) for other in others)
    assert process.asked == [b"0"]


def test_who_waits_too_long_is_told_whether_asked_or_not_and_the_next_one_gets_its_own_answer(
    process: Process,
) -> None:
    process.go.clear()

    async def late() -> tuple[list[Frame | BaseException], Frame]:
        async with pooled(process, limit=1) as pool:
            answers = await asyncio.gather(
                *(pool.ask(request(b"%d" % number), 0.2) for number in range(2)), return_exceptions=True
            )
            process.go.set()
            return answers, await pool.ask(request(b"next"), 30)

    answers, following = asyncio.run(late())
    assert [type(answer) for answer in answers] == [NoAnswer, NoAnswer]
    assert following.body == b"nextnext"


def test_a_process_that_dies_breaks_what_is_under_way_and_nothing_else(process: Process) -> None:
    async def dying() -> Frame:
        async with pooled(process, limit=1) as pool:
            with pytest.raises(BrokenFrame):
                await pool.ask(request(b"die"), 30)
            return await pool.ask(request(b"alive"), 30)

    assert asyncio.run(dying()).body == b"alivealive"


def test_nobody_there_is_refused_before_anything_is_sent(process: Process) -> None:
    process.end()

    async def asking() -> None:
        async with pooled(process, limit=1) as pool:
            for _ in range(3):  # the place is given back each time
                with pytest.raises(ConnectionRefusedError):
                    await pool.ask(request(b"x"), 5)

    with socket.create_server(("127.0.0.1", 0)) as other:
        process.port = other.getsockname()[1]
    asyncio.run(asking())


def test_a_caller_that_goes_away_leaves_its_place_to_the_next(process: Process) -> None:
    process.go.clear()

    async def leaving() -> Frame:
        async with pooled(process, limit=1) as pool:
            asked = [asyncio.ensure_future(pool.ask(request(b"%d" % number), 30)) for number in range(3)]
            while not process.asked:
                await asyncio.sleep(0.01)
            asked[1].cancel()
            asked[0].cancel()
            process.go.set()
            return await asked[2]

    assert asyncio.run(leaving()).body == b"22"
