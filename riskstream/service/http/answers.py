"""What goes over the wire: every answer and every body as a struct, from which `/v1/openapi.json` is made.

Every answer of ours is JSON, errors too: `{"error": …, "detail": …}`, and never a traceback.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web

from riskstream.core.records import Alert, Labels, Passage
from riskstream.core.watching.picture import Picture
from riskstream.scoring.manifest import Thresholds

BODY_BYTES_MAX = 1_048_576
TEXTS_MAX = 256
"""Texts of one request: a few batches, so that one caller cannot fill the model's queue."""


class Text(msgspec.Struct, frozen=True):
    """One text to score, of the body of `POST /v1/score`."""

    text: Annotated[str, msgspec.Meta(min_length=1)]
    entity: str = ""
    id: str | int | None = None
    explain: bool = False
    passages: bool = False


Texts = Annotated[list[Text], msgspec.Meta(min_length=1, max_length=TEXTS_MAX)]


class RiskyPassage(msgspec.Struct, frozen=True):
    """A passage of a text that is risky by itself; `start` and `end` are code points of the text as it was sent."""

    start: int
    end: int
    text: str
    risk_score: float
    severity: dict[str, float]
    risk: dict[str, float]
    spans: list[tuple[int, int, float]] | msgspec.UnsetType = msgspec.UNSET


class Scores(msgspec.Struct, frozen=True):
    """What the model says of one text; `error` and `detail` alone where it gave no number."""

    id: str | int | None
    entity: str
    sentiment: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    severity: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    risk: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    topic: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    risk_score: float | msgspec.UnsetType = msgspec.UNSET
    model: str | msgspec.UnsetType = msgspec.UNSET
    passage: Passage | msgspec.UnsetType = msgspec.UNSET
    spans: list[tuple[int, int, float]] | msgspec.UnsetType = msgspec.UNSET
    passages: list[RiskyPassage] | msgspec.UnsetType = msgspec.UNSET
    error: str | msgspec.UnsetType = msgspec.UNSET
    detail: str | msgspec.UnsetType = msgspec.UNSET


class Entity(msgspec.Struct, frozen=True):
    """One entity: its alerts, newest change first, and, where they are kept here, the texts behind it and what each
    rule sees in them. `whole`: nothing of these had to leave for others, and all of them were read."""

    entity: str
    open: list[Alert]
    resolved: list[Alert]
    picture: Picture | None = None
    whole: bool = False


class ModelFacts(msgspec.Struct, frozen=True):
    """The model that answers. `thresholds` are those of its manifest; `since_at` is when it was taken over here."""

    name: str
    version: str
    backend: str
    calibration: str
    tokens_max: int
    labels: Labels
    thresholds: Thresholds | None
    since_at: str


class Live(msgspec.Struct, frozen=True):
    """Whether the process can go on, and each thing that keeps it from that."""

    live: bool
    broken: dict[str, str]


class Ready(msgspec.Struct, frozen=True):
    """Whether work may come here, and each condition with `ok` or its reason."""

    ready: bool
    conditions: dict[str, str]


class Problem(msgspec.Struct, frozen=True):
    """Why there is no answer: a word for programs, and a sentence for a person."""

    error: str
    detail: str


def told(body: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """An answer as JSON."""
    return web.Response(body=msgspec.json.encode(body), status=status, headers=headers, content_type="application/json")


def refused(status: int, error: str, detail: str, **headers: str) -> web.Response:
    """A refusal as JSON; a header's `_` stands for `-`."""
    return told(Problem(error, detail), status, {name.replace("_", "-"): value for name, value in headers.items()})
