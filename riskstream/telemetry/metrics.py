"""An event becomes metric changes. What each metric means, and what to do about it, is in `series/`.

    Metrics(feeds, sinks) ── apply(event) ──► one registry ── render(accept) ──► /metrics

Rule 1. A daemon has its own registry, so that several can live in one test process.
Rule 2. Closed sets are there from the start (outcomes of a feed, limits of a rule: `expect`), so that `rate()` sees the
        first event and a missing series means a missing daemon.
Rule 3. What lanes report one by one is kept per lane here and added up; a lane that closes takes its part along.

Doubt: `disable_created_metrics` is process-wide, so an embedder's own counters lose their `_created` series too.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

import prometheus_client as prom
from prometheus_client.exposition import choose_encoder

from riskstream.core.asking.labels import WHYS
from riskstream.core.lanes.refusals import REFUSALS
from riskstream.core.records import Partition, Reason, Severity
from riskstream.core.rules.held import HELD_REASONS
from riskstream.telemetry import events as ev
from riskstream.telemetry import trials, watchdogs
from riskstream.telemetry.configuration import ConfigMetrics
from riskstream.telemetry.series import SERIES

EXPLAIN_OUTCOMES = ("explained", "known", "skipped", "failed")


class Metrics:
    """Everything that a daemon counts, and the one place where an event changes it."""

    def __init__(self, feeds: Sequence[str] = (), sinks: Sequence[str] = ()) -> None:
        prom.disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = prom.CollectorRegistry()
        prom.ProcessCollector(registry=self.registry)
        prom.PlatformCollector(registry=self.registry)
        prom.GCCollector(registry=self.registry)
        self._lanes: dict[tuple[str, Partition], ev.LaneState] = {}
        self._open: dict[Partition, Mapping[tuple[str, Severity], int]] = {}
        self._ever_open: set[tuple[str, Severity]] = set()
        self._sizes: dict[Partition, int] = {}
        self._make_score()
        self._make_stream()
        self._make_watch()
        self._make_model()
        for explained in EXPLAIN_OUTCOMES:
            self.explanations.labels(explained)
        for why in WHYS:
            self.reviews.labels(why)
        for refusal in REFUSALS:
            self.model_refused.labels(refusal)
        for evicted in ("idle", "limit"):
            self.state_evicted.labels(evicted)
        self.expect(feeds=feeds, sinks=sinks)

    def _counter(self, name: str) -> prom.Counter:
        series = SERIES[name]
        return prom.Counter(f"riskstream_{name}", series.says, series.labels, registry=self.registry)

    def _gauge(self, name: str) -> prom.Gauge:
        series = SERIES[name]
        return prom.Gauge(f"riskstream_{name}", series.says, series.labels, registry=self.registry)

    def _histogram(self, name: str) -> prom.Histogram:
        series = SERIES[name]
        return prom.Histogram(
            f"riskstream_{name}", series.says, series.labels, registry=self.registry, buckets=series.buckets
        )

    def _make_score(self) -> None:
        self.documents = self._counter("documents_total")
        self.rejected = self._counter("rejected_total")
        self.signals = self._counter("signals_total")
        self.entities_dropped = self._counter("entities_dropped_total")
        self.reviews = self._counter("reviews_total")
        self.late = self._counter("late_total")
        self.cache_hits = self._counter("cache_hits_total")
        self.queue = self._histogram("queue_seconds")
        self.tokenize = self._histogram("tokenize_seconds")
        self.inference = self._histogram("inference_seconds")
        self.batch_texts = self._histogram("batch_texts")
        self.padding = self._histogram("batch_padding_ratio")
        self.explanations = self._counter("explanations_total")
        self.explain = self._histogram("explain_seconds")

    def _make_stream(self) -> None:
        self.end_to_end = self._histogram("end_to_end_seconds")
        self.lag = self._gauge("lag_records")
        self.lanes = self._gauge("lanes")
        self.watchdogs = watchdogs.WatchdogMetrics(self._counter, self._gauge)
        self.transactions = self._counter("transactions_total")
        self.transaction = self._histogram("transaction_seconds")
        self.fenced = self._counter("fenced_total")
        self.restore = self._histogram("restore_seconds")
        self.loop_lag = self._histogram("loop_lag_seconds")

    def _make_watch(self) -> None:
        self.alerts = self._counter("alerts_total")
        self.alerts_open = self._gauge("alerts_open")
        self.alerts_held = self._counter("alerts_held_total")
        self.state_entities = self._gauge("state_entities")
        self.state_evicted = self._counter("state_evicted_total")
        self.sink_failures = self._counter("sink_failures_total")

    def _make_model(self) -> None:
        self.model_info = self._gauge("model_info")
        self.model_refused = self._counter("model_refused_total")
        self.model_swap = self._histogram("model_swap_seconds")
        self.configuration = ConfigMetrics(self._gauge)
        self.score_drift = self._gauge("score_drift")

    def expect(
        self,
        *,
        feeds: Iterable[str] = (),
        sinks: Iterable[str] = (),
        stages: Iterable[str] = (),
        rules: Iterable[str] = (),
    ) -> None:
        """Show what these can count at 0, before the first of it happens."""
        for feed in feeds:
            self.signals.labels(feed)
            self.late.labels(feed)
            for outcome in ev.OUTCOMES:
                self.documents.labels(feed, outcome)
            for reason in Reason:
                self.rejected.labels(feed, reason)
        for sink in sinks:
            self.sink_failures.labels(sink)
        for stage in stages:
            self.fenced.labels(stage)
            for ended in ("committed", "aborted", "unknown"):
                self.transactions.labels(stage, ended)
        for rule in rules:
            for held in HELD_REASONS:
                self.alerts_held.labels(rule, held)

    def apply(self, event: ev.Event) -> None:
        """Change the metrics by what happened. An event that is only a line changes nothing."""
        match event:
            case ev.DocumentsDecided() | ev.SignalsPublished() | ev.LateSignals() | ev.CacheHits():
                self._apply_decided(event)
            case ev.Tokenised(seconds=seconds):
                self.tokenize.observe(seconds)
            case ev.BatchScored():
                self._apply_batch(event)
            case ev.Explanations():
                self._apply_explanations(event)
            case ev.LaneChanged() | ev.LaneRestored() | ev.LaneFenced() | ev.LagSeen():
                self._apply_lane(event)
            case ev.Committed() | ev.TransactionLost():
                self._apply_transaction(event)
            case ev.AlertPublished() | ev.AlertsHeld() | ev.AlertsOpen() | ev.StateSize() | ev.StateEvicted():
                self._apply_watch(event)
            case ev.SinkFailed(sink=sink):
                self.sink_failures.labels(sink).inc()
            case ev.ModelLoaded() | ev.ModelRefused() | ev.DriftSeen():
                self._apply_model(event)
            case ev.ConfigLoaded() | ev.ConfigRefused():
                self.configuration.apply(event)
            case ev.LoopLag(seconds=seconds):
                self.loop_lag.observe(seconds)
            case watchdogs.GapsSeen() | watchdogs.WatchdogBarked() | watchdogs.StageWaits() | watchdogs.StageReturned():
                self.watchdogs.apply(event)
            case ev.BatchBisected() | ev.DeadLetterCut() | ev.RequestFailed():
                pass
            case trials.LaneSuspected() | trials.TextConvicted() | trials.TasterFailed():
                pass
            case ev.ServiceStarted() | ev.ServiceStopping() | ev.ServiceStopped():
                pass
            case _:
                assert_never(event)

    def _apply_decided(self, event: ev.DocumentsDecided | ev.SignalsPublished | ev.LateSignals | ev.CacheHits) -> None:
        match event:
            case ev.DocumentsDecided(feed=feed, outcomes=outcomes, rejected=rejected):
                for outcome, count in outcomes.items():
                    self.documents.labels(feed, outcome).inc(count)
                for reason, count in rejected.items():
                    self.rejected.labels(feed, reason).inc(count)
            case ev.SignalsPublished(feed=feed, count=count, entities_dropped=dropped, reviews=reviews):
                self.signals.labels(feed).inc(count)
                for why, asked in reviews.items():
                    self.reviews.labels(why).inc(asked)
                self.entities_dropped.labels(feed).inc(dropped)
            case ev.LateSignals(feed=feed, count=count):
                self.late.labels(feed).inc(count)
            case ev.CacheHits(count=count):
                self.cache_hits.inc(count)

    def _apply_batch(self, event: ev.BatchScored) -> None:
        self.queue.observe(event.queue_ms / 1000)
        self.inference.observe(event.inference_s)
        self.batch_texts.observe(event.texts)
        self.padding.observe(1 - event.tokens / event.padded if event.padded else 0.0)

    def _apply_explanations(self, event: ev.Explanations) -> None:
        for outcome in EXPLAIN_OUTCOMES:
            self.explanations.labels(outcome).inc(getattr(event, outcome))
        if event.explained:
            self.explain.observe(event.seconds)

    def _apply_lane(self, event: ev.LaneChanged | ev.LaneRestored | ev.LaneFenced | ev.LagSeen) -> None:
        match event:
            case ev.LaneChanged(stage=stage, topic=topic, partition=number, state=state):
                partition = Partition(topic, number)
                self._lanes[stage, partition] = state
                if state == "closed":
                    del self._lanes[stage, partition]
                    self._sizes.pop(partition, None)
                    self._open.pop(partition, None)
                    self._show_watch()
                tally = Tally(now for (of, _), now in self._lanes.items() if of == stage)
                for known in ev.LANE_STATES:
                    if known != "closed":
                        self.lanes.labels(stage, known).set(tally[known])
            case ev.LaneRestored(seconds=seconds):
                self.restore.observe(seconds)
            case ev.LaneFenced(stage=stage):
                self.fenced.labels(stage).inc()
            case ev.LagSeen(topic=topic, records=records):
                self.lag.labels(topic).set(records)

    def _apply_transaction(self, event: ev.Committed | ev.TransactionLost) -> None:
        match event:
            case ev.Committed(stage=stage, seconds=seconds, end_to_end_ms=samples):
                self.transactions.labels(stage, "committed").inc()
                self.transaction.labels(stage).observe(seconds)
                end_to_end = self.end_to_end.labels(stage)
                for sample in samples:
                    end_to_end.observe(sample / 1000)
            case ev.TransactionLost(stage=stage, outcome=outcome):
                self.transactions.labels(stage, outcome).inc()

    def _apply_watch(
        self, event: ev.AlertPublished | ev.AlertsHeld | ev.AlertsOpen | ev.StateSize | ev.StateEvicted
    ) -> None:
        match event:
            case ev.AlertPublished(rule=rule, severity=severity, state=state):
                self.alerts.labels(rule, severity, state).inc()
            case ev.AlertsHeld(rule=rule, reason=reason, count=count):
                self.alerts_held.labels(rule, reason).inc(count)
            case ev.AlertsOpen(topic=topic, partition=number, counts=counts):
                self._open[Partition(topic, number)] = counts
                self._show_watch()
            case ev.StateSize(topic=topic, partition=number, subjects=subjects):
                self._sizes[Partition(topic, number)] = subjects
                self._show_watch()
            case ev.StateEvicted(reason=evicted, count=count):
                self.state_evicted.labels(evicted).inc(count)

    def _show_watch(self) -> None:
        self.state_entities.set(sum(self._sizes.values()))
        total: Tally[tuple[str, Severity]] = Tally()
        for counts in self._open.values():
            total.update(counts)
        self._ever_open.update(total)
        for rule, severity in self._ever_open:
            self.alerts_open.labels(rule, severity).set(total[rule, severity])

    def _apply_model(self, event: ev.ModelLoaded | ev.ModelRefused | ev.DriftSeen) -> None:
        match event:
            case ev.ModelLoaded(model=model, seconds=seconds):
                self.model_info.clear()
                self.model_info.labels(model).set(1)
                self.model_swap.observe(seconds)
            case ev.ModelRefused(reason=reason):
                self.model_refused.labels(reason).inc()
            case ev.DriftSeen(heads=heads):
                for head, distance in heads.items():
                    self.score_drift.labels(head).set(distance)

    def names(self) -> frozenset[str]:
        """The full names of riskstream's own metrics, as an operator writes them in a query."""
        return frozenset(
            family.name + ("_total" if family.type == "counter" else "")
            for family in self.registry.collect()
            if family.name.startswith("riskstream_")
        )

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics where the scraper asks for it, else plain text."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
