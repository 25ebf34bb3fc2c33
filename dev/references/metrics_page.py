"""`docs/metrics.md`: every series of `riskstream/telemetry/series/`, with what an operator does about it."""

from __future__ import annotations

from collections import defaultdict

from riskstream.telemetry.series import SECTIONS, SERIES
from riskstream.telemetry.series.shape import Series

HEAD = """\
# Metrics

Everything that a daemon shows at `/metrics`. Written by `make docs` from `riskstream/telemetry/series/`; a test holds
the two together. Beside these come Prometheus' own `process_`, `python_` and `python_gc_` series.
Labels are never entities or document ids: for those, read the alerts topic or the log.

Counters of closed sets (a feed's outcomes and reasons, a rule's limits, a stage's transactions) start at 0 when the
daemon starts, so `rate()` sees the first one. Rules and alerts on them are in
[deploy/prometheus](../deploy/prometheus), what to do about each in the [runbook](runbook.md), and dashboards in
[deploy/grafana](../deploy/grafana).
"""
BUCKETS = """
## Buckets

A quantile cannot be read above the last bucket of its histogram.

| histograms | buckets |
| --- | --- |
"""


def text() -> str:
    """The whole page."""
    return HEAD + "".join(_table(title, section) for title, section in SECTIONS.items()) + BUCKETS + _buckets()


def _table(title: str, section: tuple[Series, ...]) -> str:
    rows = [f"\n## {title}\n", "| metric | type | what it says | what to do |", "| --- | --- | --- | --- |"]
    rows += [f"| `{_named(series)}` | {series.kind} | {series.says} | {series.advice} |" for series in section]
    return "\n".join(rows) + "\n"


def _named(series: Series) -> str:
    labels = ",".join(series.labels)
    return f"riskstream_{series.name}" + (f"{{{labels}}}" if labels else "")


def _buckets() -> str:
    sharing: defaultdict[tuple[float, ...], list[str]] = defaultdict(list)
    for series in SERIES.values():
        if series.buckets:
            sharing[series.buckets].append(f"`{series.name}`")
    return "".join(
        f"| {', '.join(names)} | {', '.join(f'{bucket:g}' for bucket in buckets)} |\n"
        for buckets, names in sharing.items()
    )
