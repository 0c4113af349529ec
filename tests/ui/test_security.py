"""Who gets what: every route of the app, with a login, without one, and without the right to the DAG."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.routing import APIRoute

from automl_retraining.core.names import run_folder_name
from tests.support import run_folders
from tests.ui.conftest import World

RUN = run_folders.run_id(1)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
UNKNOWN = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/api", "/api/", "/nothing", "/static/",
           "/run/", "/api/runs", "/api/runs/autopilot_churn", "/api/models/churn/", "//api/models")  # fmt: skip


def routes(world: World) -> list[str]:
    """A path of every route that the app has, with a DAG and a run that exist; the last route answers the rest."""
    app: Any = next(route.app for route in world.app.routes if getattr(route, "path", "") == "/automl")
    # A mount or a plain route has no dependencies that ask who it is: it has no place in this app.
    assert all(isinstance(route, APIRoute) for route in app.routes), app.routes
    found = [route.path for route in app.routes]
    assert len(found) >= 18
    assert found[-1] == "/{path:path}"
    values = {"{pipeline}": "churn", "{dag_id}": "autopilot_churn", "{run_id}": quote(RUN), "{path:path}": "page.js"}
    paths = []
    for path in found:
        for name, value in values.items():
            path = path.replace(name, value)
        assert "{" not in path
        paths.append(path)
    return paths


def asked(path: str) -> str:
    """With the DAG as a parameter, for the routes that take it so."""
    return f"{path}?dag_id=autopilot_churn&run_id={quote(RUN)}"


def test_nobody_gets_anything_without_a_login(world: World) -> None:
    """401 for each route and each method, and for what does not exist; and nothing in the answer but that."""
    browser = world.browser(None)
    for path in (*routes(world), *UNKNOWN):
        for method in METHODS:
            answer = browser.ask(method, asked(path))
            assert answer.status_code == 401, (method, path, answer.status_code)
            assert method == "HEAD" or answer.json() == {"detail": "Not authenticated"}


@pytest.mark.parametrize("broken", ["rubbish", "a.b.c", ""])
def test_a_token_that_airflow_did_not_sign_is_no_login(world: World, broken: str) -> None:
    """Not even in the cookie."""
    browser = world.browser(None)
    for headers in ({"authorization": f"Bearer {broken}"}, {"cookie": f"_token={broken}"}):
        assert browser.ask("GET", "/api/models", headers=headers).status_code in (401, 403)


def test_the_cookie_of_airflows_ui_is_a_login(world: World) -> None:
    """As the pages in Airflow's frame ask."""
    answer = world.browser(None).ask("GET", "/api/models", headers={"cookie": f"_token={world.tokens['reader']}"})
    assert answer.status_code == 200


def test_who_may_not_read_the_dag_gets_403_on_every_route(world: World) -> None:
    """For a user without any DAG, and on all routes about this DAG's pipeline for the neighbour's user too."""
    for path in routes(world)[:-1]:
        assert world.browser("nobody").ask("GET", asked(path)).status_code == 403, path
        about_it = any(part in path for part in ("churn", "/run", "/compare", "/gate"))
        expected = 403 if about_it else 200
        assert world.browser("neighbour").ask("GET", asked(path)).status_code == expected, path


def test_who_may_read_the_dag_gets_every_route(world: World) -> None:
    """The same paths, with the right."""
    for path in routes(world)[:-1]:
        answer = world.browser("reader").ask("GET", asked(path))
        assert answer.status_code == 200, (path, answer.text)


def test_what_does_not_exist_is_404_and_what_would_change_something_is_405(world: World) -> None:
    """With a login. The app describes itself to nobody."""
    browser = world.browser()
    for path in UNKNOWN:
        assert browser.ask("GET", path).status_code in (404, 422), path
    for path in ("/api/models", "/", "/nothing"):
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            assert browser.ask(method, path).status_code == 405, (method, path)


def test_the_list_of_models_shows_only_what_the_user_may_read(world: World) -> None:
    """Pipelines and DAGs."""
    names = {
        one["pipeline"]: [dag["dag_id"] for dag in one["dags"]]
        for one in world.browser("reader").json("/api/models")["models"]
    }
    assert names == {"churn": ["autopilot_churn"]}
    assert {one["pipeline"] for one in world.browser().json("/api/models")["models"]} == {"churn", "other"}


def test_runs_of_a_dag_that_the_user_may_not_read_are_not_in_the_list(world: World) -> None:
    """Nor is a run in a list of which nobody knows whose it is."""
    tuned = run_folders.records(40, dag_id="tuned_churn")
    unknown = run_folders.records(41)
    for number, made in ((40, tuned), (41, {"manifest": unknown["manifest"]})):
        for name, record in made.items():
            key = f"churn/runs/{run_folder_name(run_folders.run_id(number))}/{name}.json"
            world.s3.put_object(Bucket="tests", Key=key, Body=record.to_json().encode())
    index = world.service._index(world.service.pipeline("churn"))
    index._began = float("-inf")
    world.settled()
    for _ in range(100):
        every = {run["run_id"] for run in world.browser().json("/api/models/churn/runs")["runs"]}
        if run_folders.run_id(41) in every:
            break
    assert {run_folders.run_id(40), run_folders.run_id(41)} <= every
    mine = {run["run_id"] for run in world.browser("reader").json("/api/models/churn/runs")["runs"]}
    assert mine == every - {run_folders.run_id(40), run_folders.run_id(41)}
    assert world.browser("reader").get(f"/api/runs/tuned_churn/{quote(run_folders.run_id(40))}").status_code == 403


def test_a_run_is_not_shown_under_another_dag(world: World) -> None:
    """The right to one DAG is no key to the runs of another one of the same pipeline."""
    world.airflow.states["tuned_churn", RUN] = "over"
    try:
        answer = world.browser().get(f"/api/runs/tuned_churn/{quote(RUN)}")
    finally:
        del world.airflow.states["tuned_churn", RUN]
    assert (answer.status_code, answer.json()["detail"]) == (
        404,
        f"run {RUN!r} is a run of another DAG than 'tuned_churn'",
    )


@pytest.mark.parametrize(
    "run",
    [
        "..%2F..%2Fother%2Fruns%2F" + quote(run_folder_name(RUN)),
        "..",
        "%2e%2e",
        "../../other",
        "s3:%2F%2Fother-bucket%2Fkey",
        "%00",
        "scheduled__2025%0d%0aset-cookie:%20a=b",
        "x" * 3000,
        "~",
    ],
)
def test_no_run_id_leads_out_of_the_pipelines_prefix(world: World, run: str) -> None:
    """Whatever the id, the folder is one of this pipeline's, and that one does not exist."""
    for rest in ("", "/plots", "/live", "/replay", "/download/report", "/download/json"):
        answer = world.browser("reader").ask("GET", f"/api/runs/autopilot_churn/{run}{rest}")
        assert answer.status_code in (404, 403), answer.text
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["secret.py", "../outside.js", "..%2foutside.js", "%2e%2e/outside.js", "link.js",
                                  "vendor", ".", "vendor/../../outside.js", "..%5coutside.js", "%00"])  # fmt: skip
def test_static_files_are_only_those_of_the_pages(world: World, path: str) -> None:
    """No other ending, no way out, no link out."""
    answer = world.browser().ask("GET", f"/static/{path}")
    assert answer.status_code == 404
    assert "outside" not in answer.text


def test_every_answer_has_the_headers_that_keep_a_page_apart(world: World) -> None:
    """Data, pages, files, errors of every kind."""
    for user, path in (("admin", "/"), ("admin", "/api/models"), ("admin", "/static/page.js"), (None, "/"),
                       ("nobody", "/"), ("admin", "/nothing"), ("admin", "/api/models/churn/runs?limit=x"),
                       ):  # fmt: skip
        headers = world.browser(user).get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "script-src 'self'" in headers["content-security-policy"]
        assert "frame-ancestors 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == (
            "private, no-cache" if path in ("/", "/static/page.js") and user == "admin" else "no-store"
        )


def test_an_unforeseen_error_tells_nothing_and_has_the_headers_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its traceback belongs into the log."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(world.service, "models", broken)
    answer = world.browser().get("/api/models")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_report_can_run_no_script_and_has_an_origin_of_its_own(world: World) -> None:
    """It comes out of a bucket, on Airflow's address."""
    answer = world.browser("reader").get(f"/api/runs/autopilot_churn/{quote(RUN)}/download/report")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert "allow" not in policy
    assert "<h1>Run 1</h1>" in answer.text
    saved = world.browser("reader").get(f"/api/runs/autopilot_churn/{quote(RUN)}/download/report", save=True)
    assert saved.headers["content-disposition"].endswith('.html"')
