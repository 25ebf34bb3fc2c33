"""What happens is counted as docs/metrics.md says and written as STYLE rule 12 says."""

from __future__ import annotations

import json
import logging
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from riskstream.core.records import Reason
from riskstream.core.rules.held import HELD_REASONS
from riskstream.telemetry import Metrics, Telemetry, configure_logging, logs, trials, watchdogs
from riskstream.telemetry import events as ev
from riskstream.telemetry.repeats import Repeats

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
ALERT = ev.AlertPublished(
    "a1", 1, "credit-shock", "entity", "ACME", "firing", "severe", "fired", value=0.9, limit=0.8, stories=2, sources=3
)
ONE_OF_EACH: list[ev.Event] = [
    ev.DocumentsDecided("news", {"scored": 3, "rejected": 1}, {Reason.MALFORMED: 1}),
    ev.Tokenised(4, 0.002),
    ev.CacheHits(2),
    ev.BatchScored(texts=4, tokens=60, padded=80, queue_ms=12.0, inference_s=0.03),
    ev.BatchBisected(4, "out of memory"),
    ev.SignalsPublished("news", 5, entities_dropped=2, reviews={"random": 3}),
    ev.LateSignals("news", 1),
    ev.LaneChanged("watch", "signals", 0, "ready"),
    ev.LaneRestored("watch", "signals", 0, records=10, subjects=2, seconds=0.4),
    ev.LaneFenced("watch", "signals", 0),
    ev.LagSeen("news", 17),
    ev.Committed("watch", "signals", 0, records=2, outputs=1, seconds=0.01, end_to_end_ms=(40.0, 90.0)),
    ev.TransactionLost("watch", "signals", 0, "unknown", "timed out"),
    ev.DeadLetterCut("news", 0, 7, "too large"),
    ALERT,
    ev.AlertsHeld("credit-shock", "cooldown", 1),
    ev.AlertsOpen("signals", 0, {("credit-shock", "severe"): 2}),
    ev.StateSize("signals", 0, 12),
    ev.StateEvicted("idle", 3),
    ev.SinkFailed("alertmanager", "refused", will_retry=True),
    ev.ModelLoaded("finrisk@1", "onnx", 0.8),
    ev.ModelRefused("finrisk@2", "hash", "model.safetensors"),
    ev.DriftSeen({"sentiment": 0.1}),
    ev.ServiceStarted("0.1.0", ("score",)),
    ev.ServiceStopping("SIGTERM"),
    ev.ServiceStopped(0.2),
    ev.ConfigLoaded("rules", "abc", "rules.toml"),
    ev.ConfigRefused("rules", "rules.toml", "unknown key"),
    ev.LoopLag(0.003),
    ev.RequestFailed("GET", "/v1/alerts", "KeyError: 'x'", "Traceback …"),
    trials.LaneSuspected("news", 0, 1_507),
    trials.TextConvicted("news", 0, 7),
    trials.TasterFailed("out of memory"),
    watchdogs.GapsSeen("score", "news", {"expired": 2}),
    watchdogs.WatchdogBarked("source", "news/3: nothing comes"),
    watchdogs.StageWaits("score", "no broker can be reached"),
    watchdogs.StageReturned("score", 121.5),
    ev.Explanations(explained=2, known=1, skipped=3, failed=1, seconds=0.2, detail="out of memory"),
]


def samples(metrics: Metrics) -> dict[str, float]:
    """Every riskstream series of a scrape and its value."""
    text, _ = metrics.render()
    lines = [line.rsplit(" ", 1) for line in text.decode().splitlines() if line.startswith("riskstream_")]
    return {series: float(value) for series, value in lines}


@pytest.fixture
def stderr_logging() -> Iterator[None]:
    """Gives the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_there_is_an_example_of_every_event() -> None:
    assert {type(event) for event in ONE_OF_EACH} == set(typing.get_args(ev.Event))
    assert len(ONE_OF_EACH) == 38


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: type(event).__name__)
def test_every_event_is_counted_and_becomes_a_line(event: ev.Event) -> None:
    Metrics().apply(event)
    assert re.fullmatch(r"[a-z]+( [a-z]+)*", logs.name_of(event))
    assert logs.level_of(event) in {logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR}
    msgspec.json.encode(logs.fields_of(event))


@pytest.mark.parametrize(
    ("event", "series", "value"),
    [
        (ONE_OF_EACH[0], 'riskstream_documents_total{feed="news",outcome="scored"}', 3),
        (ONE_OF_EACH[0], 'riskstream_rejected_total{feed="news",reason="malformed"}', 1),
        (ONE_OF_EACH[2], "riskstream_cache_hits_total", 2),
        (ONE_OF_EACH[3], "riskstream_batch_padding_ratio_sum", 0.25),
        (ONE_OF_EACH[3], "riskstream_queue_seconds_sum", 0.012),
        (ONE_OF_EACH[5], 'riskstream_signals_total{feed="news"}', 5),
        (ONE_OF_EACH[5], 'riskstream_reviews_total{why="random"}', 3),
        (ONE_OF_EACH[7], 'riskstream_lanes{stage="watch",state="ready"}', 1),
        (ONE_OF_EACH[7], 'riskstream_lanes{stage="watch",state="stopped"}', 0),
        (ONE_OF_EACH[9], 'riskstream_fenced_total{stage="watch"}', 1),
        (ONE_OF_EACH[10], 'riskstream_lag_records{topic="news"}', 17),
        (ONE_OF_EACH[11], 'riskstream_end_to_end_seconds_sum{stage="watch"}', 0.13),
        (ONE_OF_EACH[11], 'riskstream_transactions_total{outcome="committed",stage="watch"}', 1),
        (ONE_OF_EACH[12], 'riskstream_transactions_total{outcome="unknown",stage="watch"}', 1),
        (ALERT, 'riskstream_alerts_total{rule="credit-shock",severity="severe",state="firing"}', 1),
        (ONE_OF_EACH[15], 'riskstream_alerts_held_total{reason="cooldown",rule="credit-shock"}', 1),
        (ONE_OF_EACH[19], 'riskstream_sink_failures_total{sink="alertmanager"}', 1),
        (ONE_OF_EACH[20], 'riskstream_model_info{model="finrisk@1"}', 1),
        (ONE_OF_EACH[-1], 'riskstream_explanations_total{outcome="skipped"}', 3),
        (ONE_OF_EACH[-1], "riskstream_explain_seconds_sum", 0.2),
        (ONE_OF_EACH[34], 'riskstream_watchdog_total{dog="source"}', 1),
        (ONE_OF_EACH[34], 'riskstream_watchdog_total{dog="memory"}', 0),
        (ONE_OF_EACH[33], 'riskstream_gaps{reason="expired",stage="score",topic="news"}', 2),
        (ONE_OF_EACH[33], 'riskstream_gaps{reason="deleted",stage="score",topic="news"}', 0),
        (ONE_OF_EACH[35], 'riskstream_stage_waiting{stage="score"}', 1),
        (ONE_OF_EACH[36], 'riskstream_stage_waiting{stage="score"}', 0),
        (ONE_OF_EACH[26], 'riskstream_config_hash{hash="abc",kind="rules"}', 1),
        (ONE_OF_EACH[26], 'riskstream_config_refused{kind="rules"}', 0),
        (ONE_OF_EACH[27], 'riskstream_config_refused{kind="rules"}', 1),
    ],
)
def test_an_event_changes_its_series(event: ev.Event, series: str, value: float) -> None:
    metrics = Metrics()
    metrics.apply(event)
    assert samples(metrics)[series] == pytest.approx(value)


def test_the_series_of_a_configured_feed_are_there_before_its_first_message() -> None:
    seen = samples(Metrics(feeds=["news"], sinks=["webhook"]))
    assert {f'riskstream_documents_total{{feed="news",outcome="{outcome}"}}' for outcome in ev.OUTCOMES} <= seen.keys()
    assert {f'riskstream_rejected_total{{feed="news",reason="{reason}"}}' for reason in Reason} <= seen.keys()
    assert seen['riskstream_sink_failures_total{sink="webhook"}'] == 0


def test_what_a_daemon_expects_is_there_before_it_happens() -> None:
    metrics = Metrics()
    metrics.expect(stages=["watch"], rules=["entity-risk"])
    seen = samples(metrics)
    held = [f'riskstream_alerts_held_total{{reason="{reason}",rule="entity-risk"}}' for reason in HELD_REASONS]
    lost = [
        f'riskstream_transactions_total{{outcome="{end}",stage="watch"}}' for end in ("committed", "aborted", "unknown")
    ]
    assert [seen[series] for series in [*held, *lost, 'riskstream_fenced_total{stage="watch"}']] == [0] * (
        len(held) + 4
    )


def test_lanes_add_up_and_a_closed_lane_takes_its_part_along() -> None:
    metrics = Metrics()
    for partition in (0, 1):
        metrics.apply(ev.LaneChanged("watch", "signals", partition, "ready"))
        metrics.apply(ev.StateSize("signals", partition, 10))
        metrics.apply(ev.AlertsOpen("signals", partition, {("r", "watch"): partition + 1}))
    both = samples(metrics)
    metrics.apply(ev.LaneChanged("watch", "signals", 1, "closed"))
    one = samples(metrics)
    metrics.apply(ev.LaneChanged("watch", "signals", 0, "closed"))
    none = samples(metrics)
    for series, values in {
        "riskstream_state_entities": (20, 10, 0),
        'riskstream_alerts_open{rule="r",severity="watch"}': (3, 1, 0),
        'riskstream_lanes{stage="watch",state="ready"}': (2, 1, 0),
    }.items():
        assert (both[series], one[series], none[series]) == values


def test_only_the_newest_model_and_configuration_are_shown() -> None:
    metrics = Metrics()
    for event in (
        ev.ModelLoaded("finrisk@1", "onnx", 1.0),
        ev.ModelLoaded("finrisk@2", "onnx", 1.0, previous="finrisk@1"),
        ev.ConfigLoaded("rules", "a"),
        ev.ConfigLoaded("watchlist", "w"),
        ev.ConfigLoaded("rules", "b"),
    ):
        metrics.apply(event)
    assert {s for s in samples(metrics) if "model_info" in s or "config_hash" in s} == {
        'riskstream_model_info{model="finrisk@2"}',
        'riskstream_config_hash{hash="b",kind="rules"}',
        'riskstream_config_hash{hash="w",kind="watchlist"}',
    }


def test_two_daemons_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.apply(ev.CacheHits(3))
    assert samples(one)["riskstream_cache_hits_total"] == 3
    assert samples(other)["riskstream_cache_hits_total"] == 0


def test_no_series_has_an_entity_or_a_document_as_a_label() -> None:
    metrics = Metrics(feeds=["news"])
    for event in ONE_OF_EACH:
        metrics.apply(event)
    labels = {name for series in samples(metrics) for name in re.findall(r'[{,](\w+)="', series)}
    assert labels == {
        *("dog", "feed", "outcome", "reason", "stage", "state", "topic", "rule", "severity"),
        *("sink", "model", "kind", "hash", "head", "why", "le"),
    }


def test_the_page_of_metrics_names_exactly_the_metrics_that_there_are_with_their_labels_and_types() -> None:
    rows = re.findall(r"^\| `(riskstream_\w+)(?:\{([\w,]*)\})?` \| (\w+) \|", DOCS.read_text(), re.MULTILINE)
    metrics = Metrics()
    real = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in metrics.registry.collect()
        if family.name.startswith("riskstream_")
    }
    assert {name: kind for name, _, kind in rows} == real
    assert metrics.names() == real.keys()
    for event in ONE_OF_EACH:
        metrics.apply(event)
    shown = {
        family.name + ("_total" if family.type == "counter" else ""): {
            label for sample in family.samples for label in sample.labels if label != "le"
        }
        for family in metrics.registry.collect()
    }
    assert {name: set(filter(None, labels.split(","))) for name, labels, _ in rows} == {n: shown[n] for n in real}


@pytest.mark.parametrize(
    ("event", "level"),
    [
        (ONE_OF_EACH[0], "DEBUG"),
        (ONE_OF_EACH[11], "DEBUG"),
        (ONE_OF_EACH[16], "DEBUG"),
        (ALERT, "INFO"),
        (msgspec.structs.replace(ALERT, state="updated", reason="evidence"), "DEBUG"),
        (ONE_OF_EACH[7], "INFO"),
        (ev.LaneChanged("score", "news", 0, "opening"), "DEBUG"),
        (ev.LaneChanged("score", "news", 0, "stopped", "offsets 10 to 20 are gone"), "ERROR"),
        (ONE_OF_EACH[9], "WARNING"),
        (ev.SinkFailed("webhook", "410", will_retry=False), "ERROR"),
        (ONE_OF_EACH[21], "WARNING"),
    ],
)
def test_the_level_says_who_should_care(event: ev.Event, level: str) -> None:
    assert logging.getLevelName(logs.level_of(event)) == level


def test_lines_are_json_on_stderr_and_stdout_stays_data(
    capsys: pytest.CaptureFixture[str], stderr_logging: None
) -> None:
    configure_logging("info", json=True)
    telemetry = Telemetry(Metrics())
    telemetry.emit(ALERT)
    telemetry.emit(ONE_OF_EACH[0])
    logging.getLogger("aiokafka.consumer").info("joined group %s", "g")
    logging.getLogger("aiokafka.consumer").warning("heartbeat failed for %s\nsecond line", "g")
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("somewhere").exception("it broke")
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert [line["event"] for line in lines] == ["alert published", "heartbeat failed for g\nsecond line", "it broke"]
    assert lines[0]["level"] == "info"
    assert (lines[0]["logger"], lines[0]["rule"], lines[0]["subject_id"]) == ("riskstream", "credit-shock", "ACME")
    assert lines[0]["at"].endswith("Z")
    assert lines[1]["logger"] == "aiokafka.consumer"
    assert "ValueError: bad" in lines[2]["exception"]


def test_a_library_that_repeats_itself_is_heard_once_a_minute() -> None:
    thin = Repeats(["aiokafka"])
    written: dict[str, list[str]] = {"aiokafka.conn": [], "riskstream": []}
    for second in range(130):
        for name in written:
            record = logging.LogRecord(name, logging.WARNING, "conn.py", 7, "no connection to %d", (second,), None)
            record.created = 1_000.0 + second
            if thin.filter(record):
                written[name].append(record.getMessage())
    assert len(written["riskstream"]) == 130
    assert written["aiokafka.conn"] == [
        "no connection to 0",
        "no connection to 60 (59 more like it left out)",
        "no connection to 120 (59 more like it left out)",
    ]


def test_on_a_terminal_a_value_from_outside_cannot_begin_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], stderr_logging: None
) -> None:
    configure_logging("warning", json=False)
    Telemetry(Metrics()).emit(ev.TransactionLost("score", "news", 0, "aborted", "x\n\x1b[2J2026 all is well"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "\x1b[2J" not in lines[0]
    assert "transaction lost" in lines[0]


def test_without_any_configuration_nothing_is_printed_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Telemetry(Metrics()).emit(ONE_OF_EACH[9])
    assert capsys.readouterr().out == ""


def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    plain, plain_type = Metrics().render()
    opened, open_type = Metrics().render("application/openmetrics-text; version=1.0.0")
    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")
    assert opened.endswith(b"# EOF\n")
    assert b"_created" not in plain
