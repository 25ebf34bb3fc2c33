"""The series of feeds and scoring: from a message to its signals."""

from __future__ import annotations

from riskstream.telemetry.series.shape import RATIO, TEXTS, WAIT_S, Series

SCORING: tuple[Series, ...] = (
    Series(
        "documents_total",
        "counter",
        says=(
            "Messages by what became of them: `scored`, `rejected`, `unwatched` (names nobody on the watchlist), "
            "`duplicate`, `shed`"
        ),
        advice="`rate` of 0 while the feed flows: look at `lag_records` and `/readyz`. `shed` rises: add pods",
        labels=(
            "feed",
            "outcome",
        ),
    ),
    Series(
        "rejected_total",
        "counter",
        says="Messages that could not be scored, by why",
        advice=(
            "A jump after a producer's release: read `riskstream-detail` of the dead letters; often a field map mends "
            "it"
        ),
        labels=(
            "feed",
            "reason",
        ),
    ),
    Series(
        "reviews_total",
        "counter",
        says="Scored pairs that were asked to be labelled: `random` or `unsure`",
        advice=(
            "`random` far off `reviews.random_share` of the signals, or nothing at all: nobody is told what the model "
            "misses"
        ),
        labels=("why",),
    ),
    Series(
        "signals_total",
        "counter",
        says="Signals committed",
        advice='Far below `documents_total{outcome="scored"}`: transactions are being lost',
        labels=("feed",),
    ),
    Series(
        "entities_dropped_total",
        "counter",
        says=(
            "Mentions beyond `watch.entities_per_document_max`, the least relevant of a document: no signal was made "
            "for them"
        ),
        advice="Steadily high: raise the limit, or the feed sends lists of names",
        labels=("feed",),
    ),
    Series(
        "late_total",
        "counter",
        says="Signals older than `age_max_s`: published, and kept out of windows",
        advice="After an outage it is expected; steadily high: the producer's clock or `published_at` mapping is wrong",
        labels=("feed",),
    ),
    Series(
        "cache_hits_total",
        "counter",
        says="(entity, text) pairs answered without the model",
        advice="`batching.cache_max` answers are kept. 0 with many syndicated copies: is it off?",
    ),
    Series(
        "queue_seconds",
        "histogram",
        says="What a batch waited before the model",
        advice="High with full batches: the model is the bottleneck. High with small ones: lower the batch wait",
        buckets=WAIT_S,
    ),
    Series(
        "tokenize_seconds",
        "histogram",
        says="Reading one group of messages, finding names, tokenising",
        advice="Above `inference_seconds`: the texts are long; look at `batch_texts`",
        buckets=WAIT_S,
    ),
    Series(
        "inference_seconds",
        "histogram",
        says="One batch in the model",
        advice="Rises at equal `batch_texts`: another process is on the device, or it throttles",
        buckets=WAIT_S,
    ),
    Series(
        "explanations_total",
        "counter",
        says=(
            "Pairs whose score was to be explained: `explained` by the model, `known` from the same text before, "
            "`skipped` because too many waited, `failed`"
        ),
        advice=(
            "`skipped` rises: scoring has no time to spare; signals go out without `spans`. Raise "
            "`scoring.explain_share_max`, or add pods. `failed`: the log has the reason"
        ),
        labels=("outcome",),
    ),
    Series(
        "explain_seconds",
        "histogram",
        says="Explaining a few pairs in the model",
        advice="Far above `inference_seconds`: lower `scoring.explain_words_max`",
        buckets=WAIT_S,
    ),
    Series(
        "batch_texts",
        "histogram",
        says="Pairs in a batch",
        advice="Near 1 under load: the token budget is too small",
        buckets=TEXTS,
    ),
    Series(
        "batch_padding_ratio",
        "histogram",
        says="Share of a batch's tokens that is padding, 0 to 1",
        advice="Above 0.3: texts of very different lengths in a thin stream; raise `batching.wait_ms_max`",
        buckets=RATIO,
    ),
)
