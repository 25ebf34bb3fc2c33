"""`POST /v1/score` and `GET /v1/model`: the model of this process, for programs.

What a caller can make us hold is bounded: body bytes, texts a request, requests at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec
from aiohttp import web

from riskstream.core.clock import format_ms
from riskstream.core.ports import Scorer
from riskstream.scoring.manifest import Manifest
from riskstream.service.health import Health
from riskstream.service.http.answers import ModelFacts, Text, Texts, refused, told
from riskstream.service.question import Wishes

Score = Callable[[Sequence[tuple[str, str]], Sequence[Wishes]], Awaitable[list[dict[str, object]]]]
"""(entity, text) pairs in, with what is wished beside the scores; one object of results each, in order."""

SCORING_MAX = 16
"""Requests that are scored at a time; the next is told to come again."""
SCORE_S_MAX = 30.0
BODY_SHAPE = '{"text": …, "entity"?: …, "id"?: …, "explain"?: true, "passages"?: true}'
_BODY = msgspec.json.Decoder(Text | Texts)


@runtime_checkable
class _HasManifest(Protocol):
    """A scorer that was read from a version's files."""

    manifest: Manifest


def facts_of(scorer: Scorer, since_ms: int) -> ModelFacts:
    """What is told of a model that was taken over at `since_ms`."""
    name, _, version = scorer.name.rpartition("@")
    thresholds = scorer.manifest.thresholds if isinstance(scorer, _HasManifest) else None
    since_at = format_ms(since_ms)
    return ModelFacts(
        name, version, scorer.backend, scorer.calibration, scorer.tokens_max, scorer.labels, thresholds, since_at
    )


class Scoring:
    """Answers for the model. `score` is set, and `show` called, once a model is there; `show` again for another."""

    def __init__(self, health: Health, score: Score | None = None, *, risk_score_min: float) -> None:
        self.score = score
        self._facts: ModelFacts | None = None
        self._health, self._risk_score_min = health, risk_score_min
        self._under_way = 0

    def show(self, scorer: Scorer, since_ms: int) -> None:
        """This model answers from now on."""
        self._facts = facts_of(scorer, since_ms)

    async def get_model(self, _request: web.Request) -> web.Response:
        """The model that answers here."""
        return self._no_model(self._facts) or told(self._facts)

    async def post_score(self, request: web.Request) -> web.Response:
        """The scores of one text, or of a list of them in order."""
        if refusal := self._no_model(self.score):
            return refusal
        assert self.score is not None
        try:
            asked = _BODY.decode(await request.read())
        except (ValueError, RecursionError) as error:
            return refused(400, "bad_request", f"{error}; send {BODY_SHAPE} or a list of them")
        if self._under_way >= SCORING_MAX:
            return refused(503, "busy", f"{SCORING_MAX} requests are being scored", Retry_After="1")
        texts = asked if isinstance(asked, list) else [asked]
        self._under_way += 1
        try:
            async with asyncio.timeout(SCORE_S_MAX):
                results = await self.score(
                    [(text.entity, text.text) for text in texts],
                    [Wishes(text.explain, text.passages, self._risk_score_min) for text in texts],
                )
        except TimeoutError:
            return refused(503, "busy", f"no answer of the model within {SCORE_S_MAX:.0f} s", Retry_After="5")
        finally:
            self._under_way -= 1
        rows = [{"id": text.id, "entity": text.entity} | row for text, row in zip(texts, results, strict=True)]
        return told(rows if isinstance(asked, list) else rows[0])

    def _no_model(self, part: object) -> web.Response | None:
        if why := self._health.why_not("model"):
            return refused(503, "not_ready", why, Retry_After="5")
        if part is None:
            return refused(404, "no_model", "this process has no model: ask one that runs the score stage")
        return None
