"""The series of the model and the configuration in force."""

from __future__ import annotations

from riskstream.telemetry.series.shape import LOAD_S, Series

MODEL: tuple[Series, ...] = (
    Series(
        "model_info",
        "gauge",
        says="1 for the version that answers",
        advice="`count by (model)`: more than one for long means that a pod cannot take the new one",
        labels=("model",),
    ),
    Series(
        "model_refused_total",
        "counter",
        says=(
            "Versions that were not taken, by why: `hash`, `signature`, `labels`, `golden`, `load`, `missing`, "
            "`registry`"
        ),
        advice=(
            "The version before goes on. The log names the file or the figure; `docs/registry.md` says what to do for "
            "each"
        ),
        labels=("reason",),
    ),
    Series(
        "model_swap_seconds",
        "histogram",
        says="Fetching, checking and warming up a version, at the start and at each swap",
        advice="Only cost: scoring goes on meanwhile",
        buckets=LOAD_S,
    ),
    Series(
        "config_hash",
        "gauge",
        says="1 for the `rules` and the `watchlist` in force",
        advice="`count by (kind, hash)`: pods that differ for more than minutes run with different files",
        labels=(
            "kind",
            "hash",
        ),
    ),
    Series(
        "config_refused",
        "gauge",
        says="1 while the `rules` or the `watchlist` on disk are wrong and those before go on",
        advice="The log says where. Mend it before a pod starts anew: that one would not",
        labels=("kind",),
    ),
    Series(
        "score_drift",
        "gauge",
        says="Stability index of a head's last 2,000 answers against the first 2,000 of this version in the process",
        advice="Above 0.25 the texts have changed: label some of `riskstream.reviews`, and let the trainer refresh",
        labels=("head",),
    ),
)
