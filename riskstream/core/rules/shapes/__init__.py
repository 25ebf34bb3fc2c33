"""The shapes by name: how each is read from a rule's table. A new shape is a file beside these and a line here."""

from __future__ import annotations

from collections.abc import Callable

from riskstream.core.rules.parts import Parts
from riskstream.core.rules.shapes import flatline, frequency, new, sequence, spike, threshold
from riskstream.core.rules.shapes.base import Clear, Gauge, Shape

AnyShape = threshold.Threshold | frequency.Frequency | spike.Spike | new.New | sequence.Sequence | flatline.Flatline
Memory = spike.Baseline | new.Seen | flatline.Heard
"""What the gauges keep, told apart by their tags."""

PARSERS: dict[str, Callable[[Parts], AnyShape]] = {
    "threshold": threshold.parse,
    "frequency": frequency.parse,
    "spike": spike.parse,
    "new": new.parse,
    "sequence": sequence.parse,
    "flatline": flatline.parse,
}

__all__ = ["PARSERS", "AnyShape", "Clear", "Gauge", "Memory", "Shape"]
