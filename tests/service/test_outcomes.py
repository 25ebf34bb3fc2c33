"""What the score stage tells with its commits: the answers of the model have moved."""

from __future__ import annotations

from riskstream.core.drift import HEADS, SIGNALS
from riskstream.core.records import Message, Position, Reason, Rejected
from riskstream.service.pipeline import Prepared
from riskstream.service.stages.outcomes import Outcomes, ScoreTopics
from riskstream.telemetry import Metrics, Telemetry
from tests.core.signals import make_signal

AT = Position("news", 0, 0)
PREPARED = Prepared(Message(AT, 0, None, b"{}"), "news", "scored", Rejected(AT, Reason.MALFORMED, "not looked at"))


def test_drift_is_told_with_the_commits_once_it_is_known() -> None:
    metrics = Metrics()
    outcomes, telemetry = Outcomes(ScoreTopics("signals", "dead", 1_000), None), Telemetry(metrics)

    def distance(head: str) -> float | None:
        return metrics.registry.get_sample_value("riskstream_score_drift", {"head": head})

    calm, harsh = make_signal(sentiment={"neutral": 1.0}), make_signal(sentiment={"negative": 1.0})
    done = [outcomes.scored(PREPARED, (calm,)) for _ in range(2 * SIGNALS - 1)]
    outcomes.committed(done, telemetry)
    assert [distance(head) for head in HEADS] == [None] * 4
    outcomes.committed([outcomes.scored(PREPARED, (calm,))], telemetry)
    assert [distance(head) for head in HEADS] == [0.0] * 4
    outcomes.committed([outcomes.scored(PREPARED, (harsh,)) for _ in range(SIGNALS)], telemetry)
    assert distance("sentiment") > 0.25  # type: ignore[operator]
    assert distance("topic") == 0.0
