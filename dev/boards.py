"""What the dashboards show: boards of rows of panels, each with its queries. `dev/dashboards.py` writes the JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HERE = 'namespace=~"$namespace"'
"""In every selector: one board for all deployments, or for one."""


@dataclass(frozen=True)
class Panel:
    """One panel: its queries, as (PromQL, legend). `N` in a query stands for the namespace that is chosen."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    about: str = ""
    kind: str = "lines"

    def asked(self) -> list[tuple[str, str]]:
        """The queries as Grafana sends them."""
        return [(query.replace("{N", "{" + HERE), legend) for query, legend in self.queries]


@dataclass(frozen=True)
class Board:
    """One dashboard: rows of panels."""

    name: str
    title: str
    rows: Sequence[tuple[str, Sequence[Panel]]]


def p(quantile: float, metric: str, by: str = "") -> str:
    """A quantile of a histogram, over the pods."""
    labels = f"{by}, le" if by else "le"
    return (
        f"histogram_quantile({quantile}, sum by ({labels}) (rate(riskstream_{metric}_bucket{{N}}[$__rate_interval])))"
    )


def rate(metric: str, by: str, more: str = "") -> str:
    """What is counted a second, over the pods."""
    return f"sum by ({by}) (rate(riskstream_{metric}{{N{more}}}[$__rate_interval]))"


OVERVIEW = Board(
    "overview",
    "riskstream / overview",
    [
        (
            "Now",
            [
                Panel("Documents a second", [("sum(rate(riskstream_documents_total{N}[5m]))", "")], kind="stat"),
                Panel("Records that wait", [("sum(riskstream_lag_records{N})", "")], kind="stat"),
                Panel("Alerts open", [("sum(riskstream_alerts_open{N}) or vector(0)", "")], kind="stat"),
                Panel(
                    "Arrival to alert, p99",
                    [(p(0.99, "end_to_end_seconds", "stage").replace("{N}", '{N,stage="watch"}'), "")],
                    "s",
                    kind="stat",
                ),
                Panel("Lanes that stopped", [('sum(riskstream_lanes{N,state="stopped"})', "")], kind="stat"),
                Panel(
                    "Alarms of its own",
                    [('count(ALERTS{N,alertname=~"Riskstream.*",alertstate="firing"}) or vector(0)', "")],
                    kind="stat",
                ),
            ],
        ),
        (
            "Flow",
            [
                Panel(
                    "Documents, by what became of them",
                    [(rate("documents_total", "feed, outcome"), "{{feed}} {{outcome}}")],
                    "ops",
                    "Silent while the topic grows: look at lanes. `rejected` rises: see dead letters.",
                ),
                Panel(
                    "Records that wait",
                    [("sum by (topic) (riskstream_lag_records{N})", "{{topic}}")],
                    "short",
                    "It may jump; it must come down. Rises steadily: add pods, up to one a partition.",
                ),
                Panel(
                    "Time until committed",
                    [
                        (p(0.99, "end_to_end_seconds", "stage"), "{{stage}} p99"),
                        (p(0.5, "end_to_end_seconds", "stage"), "{{stage}} p50"),
                    ],
                    "s",
                    "Score: from publication, so it has the producer's delay. Watch: from arrival to alert.",
                ),
                Panel("Alerts open", [("sum by (severity) (riskstream_alerts_open{N})", "{{severity}}")]),
                Panel(
                    "Lanes",
                    [("sum by (stage, state) (riskstream_lanes{N})", "{{stage}} {{state}}")],
                    "short",
                    "All `ready` is right. `stopped` waits for a person.",
                ),
                Panel(
                    "Models that answer",
                    [("count by (model) (riskstream_model_info{N})", "{{model}}")],
                    "short",
                    "Two for longer than a swap: a pod cannot take the new one.",
                ),
            ],
        ),
    ],
)

PIPELINE = Board(
    "pipeline",
    "riskstream / pipeline",
    [
        (
            "Scoring",
            [
                Panel(
                    "Where the time goes, p90",
                    [
                        (p(0.9, "tokenize_seconds"), "read and tokenise"),
                        (p(0.9, "queue_seconds"), "wait for the model"),
                        (p(0.9, "inference_seconds"), "model"),
                    ],
                    "s",
                    "A long wait with full batches: the model is the bottleneck.",
                ),
                Panel(
                    "Pairs a second",
                    [
                        ("sum(rate(riskstream_batch_texts_sum{N}[$__rate_interval]))", "by the model"),
                        ("sum(rate(riskstream_cache_hits_total{N}[$__rate_interval]))", "from the cache"),
                    ],
                    "ops",
                ),
                Panel(
                    "Batch: pairs and padding",
                    [(p(0.5, "batch_texts"), "pairs p50"), (p(0.5, "batch_padding_ratio"), "share of padding p50")],
                ),
                Panel("Dead letters, by why", [(rate("rejected_total", "feed, reason"), "{{feed}} {{reason}}")], "ops"),
                Panel(
                    "Late signals",
                    [(rate("late_total", "feed"), "{{feed}}")],
                    "ops",
                    "Older than age_max_s: kept out of every rule.",
                ),
                Panel(
                    "Names left out",
                    [(rate("entities_dropped_total", "feed"), "{{feed}}")],
                    "ops",
                    "Beyond watch.entities_per_document_max.",
                ),
            ],
        ),
        (
            "Kafka",
            [
                Panel("Transactions", [(rate("transactions_total", "stage, outcome"), "{{stage}} {{outcome}}")], "ops"),
                Panel(
                    "One transaction, p99",
                    [(p(0.99, "transaction_seconds", "stage"), "{{stage}}")],
                    "s",
                    "At 8 s lanes are lost.",
                ),
                Panel(
                    "Lanes lost",
                    [(rate("fenced_total", "stage"), "{{stage}}")],
                    "ops",
                    "Some at a rebalance are right.",
                ),
                Panel("Reading state back, p90", [(p(0.9, "restore_seconds"), "")], "s"),
            ],
        ),
        (
            "Processes",
            [
                Panel(
                    "Event loop, how late",
                    [(p(0.99, "loop_lag_seconds", "instance"), "{{instance}}")],
                    "s",
                    "Above 1 s: too little CPU.",
                ),
                Panel(
                    "CPU",
                    [('rate(process_cpu_seconds_total{N,job=~".*riskstream.*"}[$__rate_interval])', "{{instance}}")],
                    "short",
                ),
                Panel("Memory", [('process_resident_memory_bytes{N,job=~".*riskstream.*"}', "{{instance}}")], "bytes"),
            ],
        ),
    ],
)

MODEL = Board(
    "model",
    "riskstream / model and drift",
    [
        (
            "Which model",
            [
                Panel("Versions that answer", [("count by (model) (riskstream_model_info{N})", "{{model}}")]),
                Panel(
                    "Versions refused",
                    [("sum by (reason) (increase(riskstream_model_refused_total{N}[1h]))", "{{reason}}")],
                    "short",
                    "docs/registry.md says what each reason means.",
                ),
                Panel("Taking a version over, p90", [(p(0.9, "model_swap_seconds"), "")], "s"),
                Panel(
                    "Files in force",
                    [("count by (kind, hash) (riskstream_config_hash{N})", "{{kind}} {{hash}}")],
                    "short",
                    "More than one hash of a kind for long: pods differ.",
                ),
            ],
        ),
        (
            "Does it still know what it reads",
            [
                Panel(
                    "Distance of the scores from those at training",
                    [("max by (head) (riskstream_score_drift{N})", "{{head}}")],
                    "short",
                    "Above 0.25 for an hour: label some reviews.",
                ),
                Panel(
                    "Texts asked to be labelled",
                    [(rate("reviews_total", "why"), "{{why}}")],
                    "ops",
                    "`unsure` rises: the model meets what it does not know.",
                ),
                Panel(
                    "Share of documents that name nobody",
                    [
                        (
                            rate("documents_total", "feed", ',outcome="unwatched"')
                            + f" / ({rate('documents_total', 'feed')} > 0)",
                            "{{feed}}",
                        )
                    ],
                    "percentunit",
                    "A jump: the watchlist or the feed has changed.",
                ),
                Panel("Signals", [(rate("signals_total", "feed"), "{{feed}}")], "ops"),
            ],
        ),
    ],
)

ALERTS = Board(
    "alerts",
    "riskstream / alerts and rules",
    [
        (
            "Alerts",
            [
                Panel(
                    "Open, by rule", [("sum by (rule, severity) (riskstream_alerts_open{N})", "{{rule}} {{severity}}")]
                ),
                Panel(
                    "Records of alerts, an hour",
                    [("sum by (rule, state) (increase(riskstream_alerts_total{N}[1h]))", "{{rule}} {{state}}")],
                    "short",
                    "A rule that fires all day: raise its limit, its `for` or its cooldown.",
                ),
                Panel(
                    "Held back, an hour",
                    [("sum by (rule, reason) (increase(riskstream_alerts_held_total{N}[1h]))", "{{rule}} {{reason}}")],
                    "short",
                    "`limit` rises: something large happens, or the rule is too loose.",
                ),
                Panel(
                    "Deliveries that failed, an hour",
                    [("sum by (sink) (increase(riskstream_sink_failures_total{N}[1h]))", "{{sink}}")],
                ),
            ],
        ),
        (
            "What the rules remember",
            [
                Panel(
                    "Subjects in state",
                    [
                        ("sum(riskstream_state_entities{N})", "subjects"),
                        ("sum by (instance) (riskstream_state_entities{N})", "{{instance}}"),
                    ],
                ),
                Panel(
                    "Subjects that left, an hour",
                    [("sum by (reason) (increase(riskstream_state_evicted_total{N}[1h]))", "{{reason}}")],
                    "short",
                    "`limit`: windows begin anew, so make room.",
                ),
            ],
        ),
    ],
)

BOARDS = (OVERVIEW, PIPELINE, MODEL, ALERTS)
