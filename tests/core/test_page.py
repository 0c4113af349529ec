from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from automl_retraining.core.page import Html, document, duration, element, facts, moment, section, size, table, text


def test_text_is_never_markup() -> None:
    assert element("p", "<img src=x onerror=alert(1)>") == "<p>&lt;img src=x onerror=alert(1)&gt;</p>"
    assert element("p", "a", title='"><script>') == '<p title="&quot;&gt;&lt;script&gt;">a</p>'
    assert element("p", Html("<b>ours</b>")) == "<p><b>ours</b></p>"


def test_what_html_forbids_becomes_a_replacement_mark() -> None:
    assert text("a\x00b\ud800") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}"


def test_a_table_escapes_its_cells_and_marks_one_row() -> None:
    made = table(["<h>", "n"], [["<c>", 1], ["d", 2]], numeric=[1], marked=1)
    assert "&lt;h&gt;" in made
    assert "<td>&lt;c&gt;</td>" in made
    assert '<tr class="marked"><td>d</td><td class="n">2</td></tr>' in made


def test_empty_facts_and_sections_are_left_out() -> None:
    assert "gone" not in facts([("gone", None), ("there", "x"), ("gone", "")])
    assert section("title", None, "") == ""


def test_the_page_asks_for_nothing_from_anywhere_and_runs_no_script() -> None:
    page = document("a <title>", Html("<p>b</p>"))
    assert page.startswith("<!doctype html>\n<html")
    assert "default-src 'none'" in page.replace("&#x27;", "'")
    assert "<title>a &lt;title&gt;</title>" in page
    assert "<script" not in page


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, None), (5.62, "5.62 s"), (184.2, "3 min 4 s"), (3725, "1 h 2 min"), (59.9999, "60 s")]
)
def test_durations_read_as_people_say_them(seconds: float | None, words: str | None) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(("count", "words"), [(12, "12 bytes"), (4_200, "4.2 kB"), (472_000_000, "472 MB")])
def test_sizes_have_a_unit(count: int, words: str) -> None:
    assert size(count) == words


def test_times_are_in_utc() -> None:
    local = datetime(2026, 3, 2, 15, 0, tzinfo=timezone(timedelta(hours=1)))
    assert moment(local) == moment(datetime(2026, 3, 2, 14, 0, tzinfo=UTC)) == "2026-03-02 14:00:00 UTC"
    assert moment(None) is None
