"""`threshold`: an aggregate over a window reaches a limit.

value ────────╱▔▔▔▔╲────────
limit ┄┄┄┄┄┄┄╱┄┄┄┄┄┄┄┄┄┄┄┄┄┄  fires at the limit, ends below `clear`
"""

from __future__ import annotations

from riskstream.core.rules.parts import Parts, greatest_value
from riskstream.core.rules.shapes.base import Shape


class Threshold(Shape, frozen=True, tag="threshold"):
    """Fires when the aggregate reaches a limit."""


def parse(parts: Parts) -> Threshold:
    """The shape of a rule's table."""
    measure = parts.measure()
    limits = parts.limits(greatest_value(measure))
    measure = parts.supported_from(measure, limits)
    return Threshold(measure=measure, limits=limits, clear=parts.clear(measure, limits))
