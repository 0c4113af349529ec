"""The pictures of docs/: ``python -m scripts.screenshots`` retrains two models twice on a stack of its own and looks.

Minutes. State is kept in .local/screenshots, so that a second time shows longer histories.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from scripts import browser
from scripts.airflow_api import FINISHED, AirflowApi
from scripts.stack import ROOT, Stack

DOCS = ROOT / "docs"
WIDTH, HEIGHT = 1280, 800
MOST_BYTES = 200_000
LIVE = "autopilot_churn"
RUNS = (LIVE, "tuned_auto_mpg")
_PATIENCE = 60_000


@contextmanager
def looking(url: str, user: str, password: str) -> Iterator[Page]:
    """A page of a browser that is logged in at Airflow."""
    path = browser.ensure()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(path), args=browser.arguments())
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(_PATIENCE)
        page.goto(url)
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", password)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda address: "login" not in address)
        yield page
        chromium.close()


def save(page: Page, name: str, *, height: int = HEIGHT) -> None:
    """The page as docs/<name>.png."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    time.sleep(1.5)  # charts are drawn anew after a change of size
    path = DOCS / f"{name}.png"
    picture = Image.open(io.BytesIO(page.screenshot()))
    # A palette: text on flat colours needs no more, and is half the size.
    picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    print(f"{path.relative_to(ROOT)}: {size:,} bytes" + ("" if size <= MOST_BYTES else ", too large"))


def live(page: Page, url: str, dag_id: str, run_id: str) -> None:
    """docs/ui-live.png: while candidates arrive."""
    page.goto(f"{url}/automl/run?{urlencode({'dag_id': dag_id, 'run_id': run_id})}#jobs")
    page.locator("#panel-jobs tbody tr").nth(3).wait_for(timeout=10 * _PATIENCE)
    save(page, "ui-live", height=1000)


def finished(page: Page, url: str, dag_id: str, run_id: str) -> None:
    """The other pictures, of a run that is over."""
    run = urlencode({"dag_id": dag_id, "run_id": run_id})
    page.goto(f"{url}/plugin/models")
    page.frame_locator("iframe").locator("tbody .chip.good").first.wait_for()
    time.sleep(3)  # the second look has what is read anew
    save(page, "ui-models", height=560)
    page.goto(f"{url}/automl/models/{dag_id.split('_', 1)[1]}")
    page.locator(".canvas[data-drawn]").first.wait_for()
    save(page, "ui-model", height=1180)
    page.goto(f"{url}/automl/run?{run}#evidence")
    page.locator(".canvas[data-drawn]").first.wait_for()
    save(page, "ui-run", height=1180)
    page.goto(f"{url}/automl/gate?{run}")
    page.locator(".canvas[data-drawn]").first.wait_for()
    page.get_by_label("Mode").select_option("non_inferiority")
    page.get_by_role("spinbutton", name="Margin").fill("0.02")
    page.get_by_role("button", name="Decide").click()
    page.get_by_text("policy.mode").first.wait_for()
    save(page, "ui-gate", height=1180)


def main() -> int:
    """Retrain, look, and write the pictures."""
    state = ROOT / ".local" / "screenshots"
    with Stack(state) as stack, AirflowApi(stack.airflow_url, "admin", stack.passwords["admin"]) as api:
        for dag_id in RUNS:
            api.wait_for_dag(dag_id)
            api.unpause(dag_id)
        _ended(api, {dag_id: api.trigger(dag_id, {}) for dag_id in RUNS})
        with looking(stack.airflow_url, "admin", stack.passwords["admin"]) as page:
            runs = {dag_id: api.trigger(dag_id, {}) for dag_id in RUNS}
            live(page, stack.airflow_url, LIVE, runs[LIVE])
            _ended(api, {LIVE: runs[LIVE]})
            finished(page, stack.airflow_url, LIVE, runs[LIVE])
    return 0


def _ended(api: AirflowApi, runs: dict[str, str]) -> None:
    deadline = time.monotonic() + 900
    while any(api.run(dag_id, run_id)["state"] not in FINISHED for dag_id, run_id in runs.items()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected the runs to end within 15 minutes: {runs}")
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
