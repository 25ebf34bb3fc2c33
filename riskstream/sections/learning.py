"""The sections of what is learnt from people: which texts are asked to be labelled, and what a round does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from riskstream.sections import Section


class Reviews(Section):
    """Which scored texts are asked to be labelled. The choice depends on the signal's id and score alone."""

    enabled: bool = True
    """Write reviews, in the transaction of the signals. Off: the model is never told what it misses."""
    random_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of all scored pairs, drawn by the hash of `signal_id`. Higher: better estimates, more to label."""
    unsure_band: Annotated[float, Field(ge=0, le=0.5)] = 0.15
    """A risk score this near to 0.5 is unsure. Wider: more of them, each less telling."""
    unsure_share: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the unsure pairs that is asked, so reviews are at most `random_share + unsure_share` of all pairs."""
    text_bytes_max: Annotated[int, Field(ge=1_000)] = 16_000
    """A longer text is cut to this, as JSON; below `kafka.message_bytes_max`."""


class Trainer(Section):
    """The companion, `riskstream trainer --once`: when a round is run, on what, and what its gate asks."""

    config: Path = Path("config/train/refresh.toml")
    """The training file: how it is fitted, and the old labelled files to replay and to guard."""
    labels_min: Annotated[int, Field(ge=1)] = 100
    """New labels that a round waits for. Fewer: sooner, and the gate can tell less."""
    labels_max: Annotated[int, Field(ge=1)] = 20_000
    """The newest labelled pairs that a round reads. More: longer rounds, and more memory (about 2 kB each)."""
    labels_repeat: Annotated[float, Field(gt=0)] = 2.0
    """How often a new row comes for each time an old one does. Higher: learnt faster, and more is forgotten."""
    replay_rows_max: Annotated[int, Field(ge=0)] = 2_000
    """Old training rows that are learnt again, drawn evenly, so that nothing is forgotten. 0: none."""
    golden_rows_max: Annotated[int, Field(ge=50)] = 1_000
    """Old `valid` rows that a candidate must not get worse on. More: smaller moves are seen, longer rounds."""
    worse_max: Annotated[float, Field(ge=0, le=1)] = 0.01
    """How much a golden figure may fall before the gate refuses, if chance does not explain the fall."""
    calibration_worse_max: Annotated[float, Field(ge=0, le=1)] = 0.02
    """How much the calibration error of the risk score on golden rows may rise."""
