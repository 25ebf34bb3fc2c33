"""Every rule and every dashboard query is sound, is about metrics that there are, and gets an answer.

a daemon (embedded broker, models/tiny) ◄── scrapes ── a real Prometheus ◄── every rule, every query of every board
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.boards import BOARDS
from dev.dashboards import FOLDER, files
from riskstream.sections import Feed, Models
from riskstream.service.parts import load_scorer
from riskstream.telemetry import Metrics
from tests.deploy.charts import ROOT, tool
from tests.deploy.prometheuses import RULES, Prometheus, prometheus
from tests.service.daemons import Rig

CASES = RULES.parent / "riskstream_test.yml"
RUNBOOK = ROOT / "docs" / "runbook.md"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
RECORDS = {rule["record"]: rule["expr"] for group in GROUPS for rule in group["rules"] if "record" in rule}
QUERIES = [
    (f"{board.name}: {panel.title}", query.replace("$namespace", ".*").replace("$__rate_interval", "1m"))
    for board in BOARDS
    for _, panels in board.rows
    for panel in panels
    for query, _ in panel.asked()
]
NOT_YET = {"riskstream_score_drift", "riskstream_sink_failures_total"}
"""Metrics that the daemon of this test cannot fill: it scores too few texts to know of drift, and no sink fails."""
FOREIGN = {"up", "ALERTS", "process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes"}


def real(test: Callable[..., Any]) -> Any:
    """A test beside a real Prometheus; the first of them waits for the model's libraries too."""
    return pytest.mark.prometheus(pytest.mark.timeout(400)(test))


def metrics_in(expression: str) -> set[str]:
    """The metrics that a query names."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    found = set(re.findall(r"\b(riskstream_\w+|riskstream:[\w:]+|up|ALERTS|process_\w+)\b(?!\s*=)", bare))
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in found}


def selectors_in(expression: str) -> set[str]:
    """The series that a query reads, with their labels and without their ranges."""
    return set(
        re.findall(r"\b(?:riskstream[_:][\w:]+|process_\w+)(?:\{[^}]*\})?", re.sub(r"\bby\s*\([^)]*\)", "", expression))
    )


@pytest.mark.prometheus
def test_promtool_finds_the_rules_sound() -> None:
    assert len(ALERTS) >= 20
    assert len(RECORDS) >= 5
    done = subprocess.run([tool("promtool"), "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "duplicate" not in done.stdout


def run_cases(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool("promtool"), "test", "rules", folder / CASES.name], capture_output=True, text=True, check=False
    )


@pytest.mark.prometheus
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    told: dict[str, set[bool]] = {}
    for case in yaml.safe_load(CASES.read_text())["tests"]:
        for test in case["promql_expr_test"]:
            name = re.search(r'alertname="(\w+)"', test["expr"])
            assert name
            told.setdefault(name[1], set()).add(bool(test["exp_samples"]))
    assert told == {alert: {True, False} for alert in ALERTS}
    done = run_cases(CASES.parent)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
@pytest.mark.parametrize("never", ["vector(1) > 2", "vector(1) > 0"], ids=["silent", "loud"])
def test_every_case_fails_where_its_alert_is_silent_or_loud_for_ever(never: str, tmp_path: Path) -> None:
    groups = [{**group, "rules": [{**rule, "expr": never} for rule in group["rules"]]} for group in GROUPS]
    for group in groups:
        group["rules"] = [rule | {"for": "0s"} if "alert" in rule else rule for rule in group["rules"]]
    (tmp_path / RULES.name).write_text(yaml.safe_dump({"groups": groups}))
    (tmp_path / CASES.name).write_text(CASES.read_text())
    failed = set(re.findall(r'alertname=\\?"(\w+)', (done := run_cases(tmp_path)).stdout + done.stderr))
    assert failed == ALERTS.keys()


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{alert.lower()}"


def test_the_runbook_has_a_section_for_every_alert_and_for_nothing_else() -> None:
    sections = re.findall(r"^### (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sorted(sections) == sorted(ALERTS)


def test_every_metric_of_rules_boards_and_runbook_is_one_of_ours() -> None:
    known = Metrics().names() | FOREIGN | RECORDS.keys()
    runbook = [query for block in promql_of_the_runbook() for query in block]
    expressions = [*RECORDS.values(), *(rule["expr"] for rule in ALERTS.values()), *(q for _, q in QUERIES), *runbook]
    assert len(expressions) >= 80
    assert {name for expression in expressions for name in metrics_in(expression)} <= known
    assert metrics_in('sum by (le) (rate(riskstream_x_bucket{state="up"}[5m])) > up') == {"riskstream_x", "up"}


def promql_of_the_runbook() -> list[list[str]]:
    """The queries of each block."""
    blocks = re.findall(r"^```promql\n(.*?)^```", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    return [block.strip().splitlines() for block in blocks]


def test_the_dashboards_are_what_the_code_makes() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert written == files(), "run `python dev/dashboards.py`"
    assert len(written) == 5
    for name, content in written.items():
        board = json.loads(content)
        assert board["uid"] == f"riskstream-{name.removesuffix('.json')}"
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids)) >= 2


def test_the_entity_board_asks_the_api_and_no_metric() -> None:
    targets = [
        target for panel in json.loads((FOLDER / "entity.json").read_text())["panels"] for target in panel["targets"]
    ]
    assert [(target["url"], target["root_selector"]) for target in targets] == [
        ("/v1/entities/${entity}", "open"),
        ("/v1/entities/${entity}", "resolved"),
    ]


@pytest.fixture(scope="module")
async def scraped(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Prometheus]:
    """Prometheus beside a daemon that has scored, rejected and alerted."""
    tool("prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    scorer = load_scorer(Models(root=str(ROOT / "models"), name="tiny@1", threads=1))
    rig = Rig(folder, feed=Feed(name="news", topic="feeds.news", start="earliest", market=True), scorer=scorer)
    async with rig.running():
        assert rig.daemon.http is not None
        async with prometheus(folder, f"127.0.0.1:{rig.daemon.http.port}") as asked:
            for second in range(4):
                news = {"id": f"d{second}", "text": "Acme Corp cannot pay its bonds", "source": "wire"}
                await rig.send(json.dumps(news | {"published_at": rig.now_ms}).encode(), b"{broken")
                assert await asked.until(f"riskstream_documents_total{{outcome='scored'}} > {second}")
            yield asked


@real
async def test_a_real_prometheus_evaluates_every_rule(scraped: Prometheus) -> None:
    for name in RECORDS:
        assert await scraped.until(name), f"{name} has no data"
    rules = [rule for group in (await scraped.get("rules"))["groups"] for rule in group["rules"]]
    assert len(rules) == len(ALERTS) + len(RECORDS)
    assert {rule["name"]: rule.get("lastError", "") for rule in rules if rule["health"] != "ok"} == {}


@real
async def test_the_series_of_every_alert_are_there(scraped: Prometheus) -> None:
    for alert, rule in ALERTS.items():
        for selector in selectors_in(rule["expr"]):
            if not metrics_in(selector) & NOT_YET:
                assert await scraped.query(selector), f"{alert} is about {selector}, which nobody makes"


@real
async def test_every_query_of_every_dashboard_and_of_the_runbook_gets_an_answer(scraped: Prometheus) -> None:
    assert len(QUERIES) >= 40
    runbook = [("runbook", query) for block in promql_of_the_runbook() for query in block]
    silent = [
        (where, query)
        for where, query in [*QUERIES, *runbook]
        if not await scraped.query(query) and not metrics_in(query) & NOT_YET
    ]
    assert silent == []


@real
async def test_what_is_excused_is_really_not_there_yet(scraped: Prometheus) -> None:
    for name in NOT_YET:
        assert await scraped.query(name) == [], f"{name} is there now: take it out of NOT_YET"
