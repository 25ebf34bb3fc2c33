"""The gate, as a table of what the old and the new version get right."""

from __future__ import annotations

import numpy as np
import pytest

from riskstream.trainer.measuring.gate import Answers, Limits, changes, decide

LIMITS = Limits(worse_max=0.01, calibration_worse_max=0.02)


def version(right: int, of: int, *, calibration: float = 0.05, head: str = "severity") -> Answers:
    """A version that gets the first `right` of `of` rows right; each row is a text of its own."""
    rows = np.array([1.0] * right + [0.0] * (of - right))
    return Answers({head: rows}, tuple(f"t{n}" for n in range(of)), calibration)


@pytest.mark.parametrize(
    ("golden", "held", "calibration", "promoted", "why"),
    [
        ((900, 900, 1000), (10, 40, 60), 0.05, True, ""),
        ((900, 950, 1000), (10, 40, 60), 0.05, True, ""),  # better on old rows, too
        ((900, 895, 1000), (10, 40, 60), 0.05, True, ""),  # half a point: allowed
        ((900, 870, 1000), (10, 40, 60), 0.05, False, "golden severity fell"),
        ((900, 870, 1000), (10, 10, 60), 0.05, False, "golden severity fell"),
        ((900, 900, 1000), (10, 10, 60), 0.05, False, "not shown to be better"),
        ((900, 900, 1000), (10, 11, 60), 0.05, False, "not shown to be better"),  # one row may be chance
        ((900, 900, 1000), (40, 10, 60), 0.05, False, "held severity fell"),
        ((900, 900, 1000), (10, 40, 60), 0.08, False, "calibration error"),
        ((20, 20, 25), (10, 40, 60), 0.05, False, "no head has 30 golden rows"),
        ((40, 39, 40), (10, 40, 60), 0.05, True, ""),  # 2.5 points of 40 rows is one row: chance explains it
    ],
)
def test_better_on_new_labels_and_not_worse_on_old_rows(
    golden: tuple[int, int, int], held: tuple[int, int, int], calibration: float, promoted: bool, why: str
) -> None:
    before, after, of = golden
    new_before, new_after, new_of = held
    decision = decide(
        (version(before, of), version(after, of, calibration=calibration)),
        (version(new_before, new_of), version(new_after, new_of)),
        LIMITS,
    )
    assert decision.promoted is promoted
    assert (why in decision.reasons[0]) if why else decision.reasons == ()


def test_a_gain_in_one_head_does_not_pay_for_a_loss_in_another() -> None:
    def both(risk: int, severity: int) -> Answers:
        made = [version(right, 60, head=head) for head, right in (("risk", risk), ("severity", severity))]
        return Answers(made[0].heads | made[1].heads, made[0].texts, 0.05)

    golden = (version(900, 1000), version(900, 1000))
    assert decide(golden, (both(5, 40), both(55, 40)), LIMITS).promoted
    decision = decide(golden, (both(5, 40), both(55, 20)), LIMITS)
    assert decision.held["all"].low > 0
    assert [reason.split(" fell")[0] for reason in decision.reasons] == ["held severity"]


def test_the_rows_of_one_text_come_and_go_together() -> None:
    rows = np.array([0.0, 1.0] * 50)
    apart = Answers({"topic": rows}, tuple(map(str, range(100))), 0.0)
    alike = Answers({"topic": rows}, ("one", "two") * 50, 0.0)
    wide = changes(alike, Answers({"topic": np.ones(100)}, alike.texts, 0.0))["topic"]
    narrow = changes(apart, Answers({"topic": np.ones(100)}, apart.texts, 0.0))["topic"]
    assert (wide.low, wide.high) == (0.0, 1.0)
    assert 0.3 < narrow.low < narrow.high < 0.7


def test_a_row_without_a_label_has_no_part_in_a_head() -> None:
    nan = float("nan")
    before = Answers({"topic": np.array([nan, 0.0]), "risk": np.array([1.0, 0.5])}, ("a", "b"), 0.0)
    found = changes(before, before)
    assert (found["topic"].n, found["risk"].n, found["all"].n) == (1, 2, 2)
    assert found["all"].before == pytest.approx((1.0 + 0.25) / 2)
