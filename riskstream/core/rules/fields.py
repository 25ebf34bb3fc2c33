"""The numbers of a signal that a rule can look at, by the name that a rule file gives them.

    risk_score | relevance | weight | severity | severity.<label> | sentiment.<label> | risk.<label> | topic.<label>

`severity` alone is the expected level, 0 to 3: 1·p(watch) + 2·p(material) + 3·p(severe).
A label that the model does not have reads as 0; `unknown_label` finds it once the model's labels are known.
"""

from __future__ import annotations

from collections.abc import Callable

from riskstream.core.records import SEVERITIES, Labels, Signal

PLAIN_FIELDS: dict[str, float] = {
    "risk_score": 1.0,
    "relevance": 1.0,
    "weight": 1.0,
    "severity": float(len(SEVERITIES)),
}
"""The fields without a label, each with its greatest value; all begin at 0. A labelled field goes up to 1."""

HEADS = ("severity", "sentiment", "risk", "topic")


def known_field(field: str) -> bool:
    """The name is one of the above; whether the model has the label is not asked."""
    head, dot, label = field.partition(".")
    return field in PLAIN_FIELDS or (head in HEADS and dot == "." and bool(label))


def greatest(field: str) -> float:
    """The greatest value of a known field."""
    return PLAIN_FIELDS.get(field, 1.0)


def reader(field: str) -> Callable[[Signal], float]:
    """A function that reads a known field from a signal."""
    match field.partition("."):
        case "risk_score", _, _:
            return lambda signal: signal.risk_score
        case "relevance", _, _:
            return lambda signal: signal.entity.relevance
        case "weight", _, _:
            return lambda signal: signal.weight
        case "severity", "", _:
            return severity_level
        case "severity", _, label:
            return lambda signal: signal.severity.get(label, 0.0)
        case "sentiment", _, label:
            return lambda signal: signal.sentiment.get(label, 0.0)
        case "risk", _, label:
            return lambda signal: signal.risk.get(label, 0.0)
        case _, _, label:
            return lambda signal: signal.topic.get(label, 0.0)


def severity_level(signal: Signal) -> float:
    """The expected severity of a signal, 0 to 3."""
    return sum(level * signal.severity.get(name, 0.0) for level, name in enumerate(SEVERITIES, start=1))


def unknown_label(field: str, labels: Labels) -> tuple[str, tuple[str, ...]] | None:
    """The label of a known field that the model lacks, with those that its head has; None where there is no fault."""
    head, dot, label = field.partition(".")
    if not dot:
        return None
    there: tuple[str, ...] = getattr(labels, head)
    return None if label in there else (label, there)
