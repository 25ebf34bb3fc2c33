"""Why a record of an alert is held back: a closed set, the label of `alerts_held_total`."""

from __future__ import annotations

from typing import Literal, get_args

HeldReason = Literal["cooldown", "limit", "silenced", "inhibited", "quiet_hours"]
HELD_REASONS: tuple[HeldReason, ...] = get_args(HeldReason)
