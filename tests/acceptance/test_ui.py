"""The pages inside Airflow, in a real browser, on real runs: watched live, read, judged again, and approved.

A column of the table is named as markup that would change the page's title if it were ever taken for markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    FrameLocator,
    Page,
    StorageState,
    ViewportSize,
    expect,
    sync_playwright,
)

from scripts import browser as browsers
from tests.acceptance.conftest import World
from tests.acceptance.page_tables import MARKUP

PIPELINE, DAG = "accept_pages", "autopilot_accept_pages"
SIZE: ViewportSize = {"width": 1280, "height": 720}
CANDIDATES = 40
"""Of the run that is watched: its search lasts for several of the page's looks, which are 2 s apart, on a fast machine
too."""
SECONDS = 60_000
"""Playwright's patience in milliseconds: the machine may be busy."""


@dataclass
class Watched:
    """What a browser complained of: nothing of it is allowed."""

    complaints: list[str] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        """Note scripts that failed, requests refused, dialogs, and what the content security policy forbade."""
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("response", lambda answer: self._answered(answer.status, answer.url))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and ("Content Security Policy" in text or "Uncaught" in text):
            self.complaints.append(f"console: {text}")

    def _answered(self, status: int, url: str) -> None:
        if status >= 400 and "/automl/" in url:
            self.complaints.append(f"{status}: {url}")


@dataclass
class Story:
    """Two runs: the first was promoted; the second was watched while it ran and waits for a person."""

    first: str
    second: str
    seen: list[dict[str, Any]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    path = browsers.ensure()
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=str(path), args=browsers.arguments())
        yield made
        made.close()


@pytest.fixture(scope="module")
def session(world: World, browser: Browser) -> StorageState:
    """What the browser keeps of a login through Airflow's own form."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    page.goto(world.stack.airflow_url)
    page.fill("input[name=username]", "admin", timeout=SECONDS)
    page.fill("input[name=password]", world.stack.passwords["admin"])
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "login" not in url, timeout=SECONDS)
    kept = context.storage_state()
    context.close()
    return kept


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Every test ends without a complaint of its browser."""
    made = Watched()
    yield made
    assert made.complaints == []


@pytest.fixture
def context(browser: Browser, session: StorageState) -> Iterator[BrowserContext]:
    """A logged-in window in another zone than the server's."""
    made = browser.new_context(viewport=SIZE, storage_state=session, timezone_id="Asia/Tokyo", locale="en-GB")
    made.set_default_timeout(SECONDS)
    expect.set_options(timeout=SECONDS)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, watched: Watched) -> Page:
    """Its page."""
    made = context.new_page()
    watched.follow(made)
    return made


@pytest.fixture(scope="module")
def story(world: World, browser: Browser, session: StorageState) -> Story:
    """The runs. The second one's page is looked at while it runs, until it asks a person."""
    first = world.begin(DAG, {"source": str(world.data / f"{PIPELINE}_first.csv")})
    assert world.finished(DAG, first)["outcome"] == "promoted"
    source = str(world.data / f"{PIPELINE}_second.csv")
    second = world.begin(DAG, {"source": source, "max_candidates": CANDIDATES})
    context = browser.new_context(viewport=SIZE, storage_state=session)
    page = context.new_page()
    page.goto(address(world, "run", dag_id=DAG, run_id=second) + "#jobs")
    page.locator("#panel-jobs").wait_for(timeout=SECONDS)
    seen: list[dict[str, Any]] = []

    def asked() -> bool:
        seen.append(
            {
                "chip": page.locator("header.page .chip").first.inner_text(),
                "now": page.locator(".stepper li.now b").all_inner_texts(),
                "done": page.locator(".stepper li.done b").all_inner_texts(),
                "candidates": page.locator("#panel-jobs tbody tr").count(),
                "log": page.locator("#panel-jobs pre").count(),
            }
        )
        return bool(world.api.tasks(DAG, second)["approve"]["state"] == "awaiting_input")

    world.until(asked, "the second run asks a person", 400)
    context.close()
    world.asked(DAG, second, "approve")
    return Story(first, second, seen)


def address(world: World, path: str, **parameters: str) -> str:
    """A page of ours."""
    return f"{world.stack.airflow_url}/automl/{path}" + (f"?{urlencode(parameters)}" if parameters else "")


def frame(page: Page) -> FrameLocator:
    """Ours inside of Airflow's page."""
    return page.frame_locator("iframe")


# ---------------------------------------------------------------- while it runs


def test_a_run_is_watched_while_its_search_progresses(story: Story) -> None:
    """Steps light up one after another, and candidates arrive, without the page being loaded again."""
    assert story.seen[0]["chip"] == "running"
    assert any(look["now"] for look in story.seen), story.seen
    assert any(look["done"] for look in story.seen), story.seen
    assert max(look["candidates"] for look in story.seen) >= 2, story.seen
    assert any(look["log"] for look in story.seen), story.seen


# ---------------------------------------------------------------- in Airflow's frame


def test_the_models_page_lies_in_airflows_navigation(world: World, story: Story, page: Page) -> None:
    """It tells champion, metric, endpoint and verdict of each pipeline, and filters and sorts them."""
    page.goto(f"{world.stack.airflow_url}/plugin/models")
    ours = frame(page)
    row = ours.locator("tbody tr", has=ours.get_by_role("link", name=PIPELINE, exact=True))
    expect(row).to_contain_text("InService")
    expect(row).to_contain_text("rmse")
    expect(row).to_contain_text("waits for a person")
    ours.get_by_label("Filter the models").fill(f" {PIPELINE.upper()}")
    expect(ours.locator("tbody tr")).to_have_count(1)
    ours.get_by_label("Filter the models").fill("")
    heading = ours.get_by_role("columnheader", name="Model")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    expect(ours.get_by_role("button", name="Model")).to_be_visible()
    ours.get_by_role("button", name="Model").press("Enter")
    expect(heading).to_have_attribute("aria-sort", "descending")


def test_a_run_has_its_tab_in_airflow(world: World, story: Story, page: Page) -> None:
    """With the sentence, the rules and the comparison; and the way back to the model."""
    page.goto(f"{world.stack.airflow_url}/dags/{DAG}/runs/{quote(story.first)}/plugin/retraining")
    ours = frame(page)
    expect(ours.get_by_role("heading", level=1)).to_contain_text("promoted as the first champion")
    expect(ours.locator("ul.rules li").first).to_be_visible()
    expect(ours.locator(".canvas[data-drawn]").first).to_be_visible()
    ours.get_by_role("link", name=PIPELINE, exact=True).first.click()
    expect(ours.get_by_role("heading", level=1)).to_have_text(PIPELINE)
    expect(ours.get_by_role("heading", name="Champions")).to_be_visible()


def test_the_pages_turn_dark_with_airflow(world: World, story: Story, page: Page) -> None:
    """At once when Airflow is switched, whatever the system prefers."""
    page.goto(f"{world.stack.airflow_url}/plugin/models")
    root = frame(page).locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    before = root.evaluate("node => getComputedStyle(node.ownerDocument.body).backgroundColor")
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    expect(root).to_have_attribute("data-theme", "dark")
    assert root.evaluate("node => getComputedStyle(node.ownerDocument.body).backgroundColor") != before


# ---------------------------------------------------------------- a run's page


def test_every_view_of_a_run_shows_names_from_data_as_they_are_written(world: World, story: Story, page: Page) -> None:
    """The column named as markup stands in the tables as text: no element is made of it, no script of it runs."""
    page.goto(address(world, "run", dag_id=DAG, run_id=story.first))
    for tab in ("Candidates", "Test rows", "Data", "Report", "Jobs", "Why"):
        page.get_by_role("tab", name=tab).click()
        panel = page.get_by_role("tabpanel")
        expect(panel).to_be_visible()
        expect(panel.locator(".waits")).to_have_count(0)
        if tab in ("Candidates", "Test rows", "Why"):
            expect(panel.locator(".canvas[data-drawn]").first).to_be_visible()
        if tab == "Data":
            expect(panel.get_by_role("cell", name=MARKUP, exact=True)).to_be_visible()
        if tab == "Report":
            expect(page.frame_locator("iframe.report").get_by_role("heading", level=1)).to_contain_text("promoted")
        assert page.locator("img").count() == 0
    assert "owned" not in page.title()


def test_a_run_is_read_by_keyboard_alone(world: World, story: Story, page: Page) -> None:
    """Arrows move along the tabs, Enter sorts, and each chart has its numbers as a table."""
    page.goto(address(world, "run", dag_id=DAG, run_id=story.first))
    page.get_by_role("tab", name="Why").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    candidates = page.get_by_role("tab", name="Candidates")
    expect(candidates).to_be_focused()
    expect(candidates).to_have_attribute("aria-selected", "true")
    panel = page.get_by_role("tabpanel")
    took = panel.get_by_role("columnheader", name="Took")
    took.get_by_role("button").press("Enter")
    expect(took).to_have_attribute("aria-sort", "descending")
    button = panel.get_by_role("button", name="As table").first
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(panel.get_by_role("region", name=re.compile("the numbers")).first).to_be_visible()


def test_times_stand_in_the_viewers_zone(world: World, story: Story, page: Page) -> None:
    """The machine-readable time is UTC, what is read is Tokyo's."""
    page.goto(address(world, "run", dag_id=DAG, run_id=story.first))
    time = page.locator("header.page time")
    shown = time.evaluate(
        "node => [node.innerText, new Intl.DateTimeFormat(undefined,"
        " {dateStyle: 'medium', timeStyle: 'short', timeZone: 'Asia/Tokyo'}).format(new Date(node.dateTime))]"
    )
    assert shown[0] == shown[1]
    assert re.search(r"(Z|\+00:00)$", time.get_attribute("datetime") or "")


def test_a_thousand_candidates_are_shown_in_pages(world: World, story: Story, page: Page) -> None:
    """The real answer with its candidates repeated: a page of the table holds fifty, and turns."""

    def many(real: dict[str, Any]) -> dict[str, Any]:
        board = real["records"]["leaderboard"]
        one = board["candidates"]
        board["candidates"] = [{**one[n % len(one)], "name": f"candidate-{n:04d}"} for n in range(1000)]
        return real

    page.route("**/automl/api/runs/*/*", lambda route: _changed(route, many))
    page.goto(address(world, "run", dag_id=DAG, run_id=story.first) + "#candidates")
    panel = page.get_by_role("tabpanel")
    pages = panel.get_by_role("navigation", name="Pages of Candidates")
    expect(pages).to_contain_text("1–50 of 1,000")
    expect(panel.locator("tbody tr")).to_have_count(50)
    pages.get_by_role("button", name="Next").click()
    expect(pages).to_contain_text("51–100 of 1,000")
    took = page.evaluate("performance.getEntriesByName('leaderboard')[0].duration")
    print(f"1,000 candidates: {took:.0f} ms from the data's arrival to the page")


def test_what_cannot_be_read_is_said_in_words_with_a_way_to_try_again(world: World, story: Story, page: Page) -> None:
    """Here the connection breaks once."""
    page.route("**/automl/api/runs/*/*/profile", lambda route: route.abort())
    page.goto(address(world, "run", dag_id=DAG, run_id=story.first) + "#data")
    alert = page.get_by_role("tabpanel").get_by_role("alert")
    expect(alert).to_contain_text("Airflow does not answer")
    page.unroute("**/automl/api/runs/*/*/profile")
    alert.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("tabpanel").get_by_role("cell", name=MARKUP, exact=True)).to_be_visible()


# ---------------------------------------------------------------- two runs, and the gate again


def test_two_runs_stand_side_by_side(world: World, story: Story, page: Page) -> None:
    """With both sentences, both metrics, and what differs."""
    parameters = {"dag_id": DAG, "run_id": story.first, "with_run_id": story.second}
    page.goto(address(world, "compare", **parameters))
    expect(page.get_by_role("heading", name="Two runs side by side")).to_be_visible()
    expect(page.get_by_role("link", name=story.first)).to_be_visible()
    expect(page.get_by_role("link", name=story.second)).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("^Source .* differs"))).to_be_visible()
    expect(page.locator(".canvas[data-drawn]")).to_have_count(1)


def test_the_gate_tells_what_another_policy_would_have_decided(world: World, story: Story, page: Page) -> None:
    """As it was: the same, to the last digit. With a margin that nobody reaches: other words. Nothing is written."""
    methods: set[str] = set()
    page.on("request", lambda request: methods.add(request.method))
    page.goto(address(world, "gate", dag_id=DAG, run_id=story.second))
    same = page.get_by_text("comes out the same to the last digit")
    expect(same).to_be_visible()
    page.get_by_role("spinbutton", name="Margin").fill("1000000")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("policy.margin: recorded 0.0, found 1000000.0")).to_be_visible()
    expect(page.get_by_text("the same verdict")).to_be_visible()
    expect(same).to_have_count(0)
    page.get_by_role("button", name="As it was").click()
    expect(same).to_be_visible()
    assert methods == {"GET"}


# ---------------------------------------------------------------- a person


def test_a_doubt_is_approved_in_airflow_with_the_comparison_in_the_form(world: World, story: Story, page: Page) -> None:
    """From the run's tab to the form under Required Actions, whose table compares; the run goes on and is promoted."""
    page.goto(f"{world.stack.airflow_url}/dags/{DAG}/runs/{quote(story.second)}/plugin/retraining")
    ours = frame(page)
    expect(ours.locator("header.page .chip").first).to_have_text("waits for a person")
    ours.get_by_role("link", name="Answer it under Required Actions").click()
    page.wait_for_url("**/tasks/approve/required_actions*")
    table = page.locator("table", has_text="rmse").first
    expect(table).to_contain_text("champion")
    assert page.locator("img[src=x]").count() == 0
    page.get_by_role("button", name="Approve", exact=True).click()
    assert world.finished(DAG, story.second)["outcome"] == "promoted"
    page.goto(address(world, "run", dag_id=DAG, run_id=story.second))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Approved by")


def _changed(route: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body=json.dumps(change(answer.json())))
