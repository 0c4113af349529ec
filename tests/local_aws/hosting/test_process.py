"""What a serving process writes to the endpoint's log."""

import re

import pytest

from include.local_aws.hosting.process import LINES_PER_SECOND, AccessLog


def test_few_invocations_have_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    log = AccessLog()
    log.note(200, 4)
    log.note(400, 17)
    assert capsys.readouterr().out.splitlines() == ['"POST /invocations" 200 4', '"POST /invocations" 400 17']


def test_of_many_within_a_second_the_log_tells_how_many_more_there_were(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 100.0
    log = AccessLog(lambda: now)
    for number in range(500):
        log.note(500 if number % 100 == 99 else 200, 4)
    now = 101.0
    log.note(200, 4)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == LINES_PER_SECOND + 2
    assert re.fullmatch(r'"POST /invocations" 480 more within a second: 475 with 200, 5 with 500', lines[-2])
