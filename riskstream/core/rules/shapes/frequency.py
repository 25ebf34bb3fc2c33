"""`frequency`: so many signals, documents, sources or stories within a window.

    ──x───────x─x──x──x─────►   four within the window: fires at `limit = 4`

It is a threshold over a count, said in the words of those who write it.
"""

from __future__ import annotations

from riskstream.core.measure import Aggregate, Measure
from riskstream.core.rules.parts import Parts
from riskstream.core.rules.shapes.base import Shape

OF: dict[str, Aggregate] = {
    "signals": "count",
    "documents": "documents",
    "sources": "sources",
    "stories": "stories",
}


class Frequency(Shape, frozen=True, tag="frequency"):
    """Fires when there are so many within the window."""


def parse(parts: Parts) -> Frequency:
    """The shape of a rule's table."""
    aggregate = OF.get(parts.table.text("of", "signals", tuple(OF)), "count")
    measure = Measure(parts.field("risk_score"), aggregate, parts.table.seconds("window_s", least=1), 0.0)
    limits = parts.limits(float("inf"))
    measure = parts.supported_from(measure, limits)
    return Frequency(measure=measure, limits=limits, clear=parts.clear(measure, limits))
