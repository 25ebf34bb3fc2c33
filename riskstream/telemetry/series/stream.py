"""The series of the stream: lanes, transactions, lag, and what stood still."""

from __future__ import annotations

from riskstream.telemetry.series.shape import END_TO_END_S, LOAD_S, WAIT_S, Series

STREAM: tuple[Series, ...] = (
    Series(
        "end_to_end_seconds",
        "histogram",
        says="From publication (score) or arrival (watch) to committed",
        advice="The figure to hold a goal on. High in score only: model or lag; in watch only: commits or the broker",
        labels=("stage",),
        buckets=END_TO_END_S,
    ),
    Series(
        "lag_records",
        "gauge",
        says=(
            "Records that this pod has not committed yet, over the partitions it owns: unread as of the last fetch, "
            "and in flight"
        ),
        advice="Sum over pods. Rises steadily: add pods, up to one a partition",
        labels=("topic",),
    ),
    Series(
        "lanes",
        "gauge",
        says="Lanes that are `opening`, `restoring`, `ready`, `draining` or `stopped`",
        advice="`stopped` above 0: a person must act; `/readyz` and the log name the gap",
        labels=(
            "stage",
            "state",
        ),
    ),
    Series(
        "gaps",
        "gauge",
        says=(
            "Partitions that cannot be read on where they stand: `expired` (deleted unread), `ahead` (the topic ends "
            "before), `recreated` (another topic of that name), `deleted`"
        ),
        advice="The log names partition and offset; `riskstream feeds reset` moves on ([kafka](kafka.md#gaps))",
        labels=(
            "stage",
            "topic",
            "reason",
        ),
    ),
    Series(
        "stage_waiting",
        "gauge",
        says="1 while a stage has lost its group, mostly because no broker answers, and tries to join it again",
        advice="Longer than a minute: see whether the brokers are there; nothing is lost, it goes on by itself",
        labels=("stage",),
    ),
    Series(
        "watchdog_total",
        "counter",
        says=(
            "What stood still though it had work, or did not fit: `source`, `lane` (the group is joined anew), "
            "`model` (the process ends), `memory` (batches are halved)"
        ),
        advice=(
            "Each has a line with the place. `source` or `lane` twice without a commit between: the process ends with "
            "code 1; look at the broker. `memory`: lower `batching.tokens_max`"
        ),
        labels=("dog",),
    ),
    Series(
        "transactions_total",
        "counter",
        says="Transactions `committed`, `aborted`, `unknown`",
        advice="`unknown` now and then is harmless, its inputs come again; often: the broker is slow or its log is",
        labels=(
            "stage",
            "outcome",
        ),
    ),
    Series(
        "transaction_seconds",
        "histogram",
        says="One transaction, opened to committed",
        advice="Above 1 s: the broker's disks or the network; at 8 s lanes are lost",
        labels=("stage",),
        buckets=WAIT_S,
    ),
    Series(
        "fenced_total",
        "counter",
        says="Lanes that were lost while we held them: another owner fenced them, or the broker's answer never came",
        advice=(
            "Some at a rebalance after a pause are right; without one: the broker is slow, or two daemons share `app` "
            "and a group"
        ),
        labels=("stage",),
    ),
    Series(
        "restore_seconds",
        "histogram",
        says="Reading one lane's state back from the log; near 0 for a lane that came back to the same pod",
        advice="Above 10 s: the state log is not being compacted",
        buckets=LOAD_S,
    ),
    Series(
        "loop_lag_seconds",
        "histogram",
        says="How late the event loop woke up",
        advice="Above 1 s: the pod has too little CPU; heartbeats share this loop",
        buckets=WAIT_S,
    ),
)
