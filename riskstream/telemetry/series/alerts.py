"""The series of alerts, the state behind them, and what sinks did not take."""

from __future__ import annotations

from riskstream.telemetry.series.shape import Series

ALERTS: tuple[Series, ...] = (
    Series(
        "alerts_total",
        "counter",
        says="Records of alerts committed: `firing`, `updated`, `resolved`",
        advice="A rule that fires all day: raise its limit, its `for` or its cooldown; try it with `riskstream replay`",
        labels=(
            "rule",
            "severity",
            "state",
        ),
    ),
    Series(
        "alerts_open",
        "gauge",
        says="Alerts open now in this pod's lanes",
        advice="Sum over pods",
        labels=(
            "rule",
            "severity",
        ),
    ),
    Series(
        "alerts_held_total",
        "counter",
        says="Alerts held back by `cooldown`, `limit`, `silenced`, `inhibited`, `quiet_hours`",
        advice="`limit` rises: something large is happening, or a rule is too loose",
        labels=(
            "rule",
            "reason",
        ),
    ),
    Series(
        "state_entities",
        "gauge",
        says="Subjects that this pod's lanes keep",
        advice="Grows without end: the watchlist does, or eviction is set too high",
    ),
    Series(
        "state_evicted_total",
        "counter",
        says="Subjects that left state: `idle`, or by `limit`",
        advice="`limit` above 0: raise `state.subjects_max` or add pods; windows of those subjects begin anew",
        labels=("reason",),
    ),
    Series(
        "sink_failures_total",
        "counter",
        says="Deliveries that a sink did not take",
        advice="The log has the answer; alerts stay in the topic and are sent again",
        labels=("sink",),
    ),
)
