"""Numbers in words, as summaries tell them: `highest severity 2.59 over 6 h`, `3 stories`."""

from __future__ import annotations

from riskstream.core.measure import Measure

_AGGREGATES = {
    "max": "highest {field}",
    "mean": "mean {field}",
    "sum": "sum of {field}",
    "percentile": "{percentile:g}th percentile of {field}",
    "decayed_mean": "decayed mean of {field}",
    "count": "signals with {field}",
    "documents": "documents with {field}",
    "sources": "sources with {field}",
    "stories": "stories with {field}",
    "ratio": "share of signals with {field} of at least {at_least:g}",
}


def aggregated(measure: Measure) -> str:
    """What a measure computes."""
    return _AGGREGATES[measure.aggregate].format(
        field=measure.field, percentile=measure.percentile, at_least=measure.at_least
    )


def measured(measure: Measure, value: float) -> str:
    """A value of a measure."""
    return f"{aggregated(measure)} {value:g} over {span(measure.window_ms)}"


def span(ms: int) -> str:
    """A duration as people say it: `90 s`, `15 min`, `6 h`, `2 d`."""
    for size, unit in ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min")):
        if ms >= size and ms % size == 0 and (unit != "d" or ms >= 2 * size):
            return f"{ms // size} {unit}"
    return f"{ms / 1000:g} s"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 story`, `3 stories`."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def ordinal(number: int) -> str:
    """`2nd`, `11th`, `23rd`."""
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def sentence(text: str) -> str:
    """The text with a capital letter in front, the rest as it is: names of fields keep theirs."""
    return text[:1].upper() + text[1:]
