"""How far two readers of the same texts agree, beyond what chance would give."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from riskstream.core.errors import OperatorError
from riskstream.trainer.data.rows import Row
from riskstream.trainer.measuring.metrics import Bools, Ints, kappa


class SecondLabels(msgspec.Struct, frozen=True):
    """One row of the second reader: the same id, and labels of its own."""

    id: str
    labels: dict[str, Any]


class Agreement(msgspec.Struct, frozen=True):
    """Two readers of `rows` rows. `kappas` are by question; `positives` is how often the first reader said yes."""

    rows: int
    same_severity: float
    kappas: dict[str, float]
    positives: dict[str, int]


def read_second(path: Path) -> list[SecondLabels]:
    """The second reader's rows. Raises OperatorError naming the line that cannot be read."""
    if not path.is_file():
        raise OperatorError("data.second_reader", str(path), "there is no such file", 'correct the path, or set ""')
    found = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found.append(msgspec.json.decode(line, type=SecondLabels))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise OperatorError("data.second_reader", f"{path}:{number}", str(error), "mend the line") from error
    return found


def agreement(first: Sequence[Row], second: Sequence[SecondLabels], levels: int) -> Agreement:
    """Over the rows that both have labelled for severity: kappa of the level, of its cuts, and of each category."""
    before = {row.id: row.labels for row in first if row.labels.get("severity") is not None}
    pairs = [
        (before[row.id], row.labels) for row in second if row.id in before and row.labels.get("severity") is not None
    ]
    one, two = (np.array([pair[side]["severity"] for pair in pairs], dtype=np.int64) for side in (0, 1))
    questions: dict[str, tuple[Bools, Bools]] = {
        "adverse or not": (one >= 1, two >= 1),
        "material or not": (one >= 2, two >= 2),
        "severe or not": (one >= 3, two >= 3),
    }
    for name in sorted({name for pair in pairs for labels in pair for name in labels.get("risk") or ()}):
        sides = (np.array([name in (pair[side].get("risk") or ()) for pair in pairs]) for side in (0, 1))
        questions[name] = (next(sides), next(sides))
    kappas = {"severity, by distance": kappa(one, two, levels), "severity, exact": plain_kappa(one, two)}
    kappas |= {name: kappa(a.astype(np.int64), b.astype(np.int64), 2) for name, (a, b) in questions.items()}
    same = float(np.mean(one == two)) if len(pairs) else float("nan")
    return Agreement(len(pairs), same, kappas, {name: int(a.sum()) for name, (a, _) in questions.items()})


def plain_kappa(first: Ints, second: Ints) -> float:
    """Cohen's kappa: any other level is equally wrong."""
    if not len(first):
        return float("nan")
    met = float(np.mean(first == second))
    chance = sum(float(np.mean(first == k)) * float(np.mean(second == k)) for k in np.union1d(first, second))
    return (met - chance) / (1 - chance) if chance < 1 else float("nan")
