"""Which scored pairs are asked to be labelled, and the record that asks.

    Signal ──why()──► Chosen | None ──review()──► Review   published to riskstream.reviews, key = signal id

Rule 1. The choice is a function of the signal's id and score alone: a replay or a second delivery chooses the same.
Rule 2. The random ones are drawn first, whatever the score, so that they stay an even sample of all pairs: that is
        how misses are found, and what rates may be estimated from, each weighed by 1 / `sampling_rate`.
Rule 3. A review shows no answer of the model: who labels should not be led. `signal_id` joins to what it said.
"""

from __future__ import annotations

import hashlib

import msgspec

from riskstream.core.asking.labels import Label, Why
from riskstream.core.records import Document, Signal

MIDDLE = 0.5
"""`risk_score` is a calibrated probability, so the model is least sure here."""
_SPAN = 2**64
_ENCODER = msgspec.json.Encoder()


class ReviewPolicy(msgspec.Struct, frozen=True):
    """How many are asked. Of the pairs with a risk score within `unsure_band` of 0.5, `unsure_share` are."""

    random_share: float
    unsure_band: float
    unsure_share: float
    text_bytes_max: int


class Chosen(msgspec.Struct, frozen=True):
    """Why a pair was chosen, and with which probability."""

    why: Why
    sampling_rate: float


def why(signal_id: str, risk_score: float, policy: ReviewPolicy) -> Chosen | None:
    """Whether this pair is asked to be labelled."""
    digest = hashlib.blake2b(signal_id.encode(), digest_size=16).digest()
    if int.from_bytes(digest[:8], "big") < policy.random_share * _SPAN:
        return Chosen("random", policy.random_share)
    unsure = abs(risk_score - MIDDLE) <= policy.unsure_band
    if unsure and int.from_bytes(digest[8:], "big") < policy.unsure_share * _SPAN:
        return Chosen("unsure", policy.unsure_share)
    return None


def review(document: Document, signal: Signal, chosen: Chosen, policy: ReviewPolicy) -> Label:
    """The question about one pair: its labels are empty."""
    return Label(
        signal_id=signal.signal_id,
        document_id=signal.document_id,
        entity=signal.entity.mention,
        text=cut(document.text, policy.text_bytes_max),
        lang=signal.lang,
        source=signal.source,
        at=signal.scored_at,
        why=chosen.why,
        sampling_rate=chosen.sampling_rate,
    )


def cut(text: str, bytes_max: int) -> str:
    """The beginning of a text whose JSON takes at most so many bytes."""
    while (size := len(_ENCODER.encode(text))) > bytes_max:
        text = text[: min(len(text) - 1, len(text) * bytes_max // size)]
    return text
