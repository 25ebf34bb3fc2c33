"""Scores for whoever asks directly: a pipe (`riskstream score`) or a program (`POST /v1/score`).

    JSON line ─► text, entity, id ─► the same cleaning as a feed's ─► tokens ─► batches by length ─► one answer each

Exactly one line out per line in, in order: the scores, or `error` and `detail` with the feed's own reasons.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO

import msgspec

from riskstream.core import codec
from riskstream.core import text as texts
from riskstream.core.ports import Scorer
from riskstream.core.records import Encoded, Partition, Prediction, Reason, Ticket
from riskstream.scoring.worker import Worker
from riskstream.service import parts
from riskstream.settings import Settings

LINES_AT_ONCE = 256
BATCH = 32
_LANE = Partition("ask", 0)

Answer = dict[str, object]


class Asked(msgspec.Struct, frozen=True):
    """A line in."""

    text: str
    entity: str = ""
    id: str | int | None = None


class Failed(msgspec.Struct, frozen=True):
    """A line out for one that could not be scored."""

    id: str | int | None
    error: str
    detail: str


def score_lines(settings: Settings, model: str | None, source: Iterable[bytes], out: BinaryIO) -> None:
    """Answer each line of `source` on `out`. Raises OperatorError where the model cannot be loaded."""
    section = settings.models.model_copy(update={"name": model}) if model else settings.models
    scorer = parts.load_scorer(section)
    source = iter(source)
    while chunk := list(islice(source, LINES_AT_ONCE)):
        for answer in score_chunk(chunk, scorer):
            out.write(msgspec.json.encode(answer) + b"\n")
        out.flush()


def score_chunk(lines: Sequence[bytes], scorer: Scorer) -> list[Answer | Failed]:
    """The answers to some lines, in order."""
    read = [_read(line) for line in lines]
    good = [line for line in read if isinstance(line, Asked)]
    items = _items(scorer.encode([_pair(line.entity, line.text) for line in good]))
    found = dict[int, Prediction]()
    for batch in _batches(items):
        for item, prediction in zip(batch, scorer.score(batch), strict=True):
            found[item.ticket.sequence] = prediction
    answers = iter(_answer(line, found[place], scorer) for place, line in enumerate(good))
    return [next(answers) if isinstance(line, Asked) else line for line in read]


async def score_pairs(worker: Worker, pairs: Sequence[tuple[str, str]]) -> list[Answer]:
    """The heads of each (entity, text), in order; `error` and `detail` where the model gave no number."""
    scorer = worker.scorer
    items = _items(await worker.encode([_pair(entity, text) for entity, text in pairs]))
    found = dict[int, Prediction]()
    for batch in _batches(items):
        for item, prediction in zip(batch, (await worker.score(batch)).predictions, strict=True):
            found[item.ticket.sequence] = prediction
    return [_heads(found[place], scorer) for place in range(len(pairs))]


def _pair(entity: str, text: str) -> tuple[str, str]:
    return texts.clean(entity), texts.clean(text)


def _items(rows: Sequence[tuple[int, ...]]) -> list[Encoded]:
    return [Encoded(Ticket(_LANE, 0, place), 0, row) for place, row in enumerate(rows)]


def _batches(items: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    by_length = sorted(items, key=lambda item: len(item.tokens))
    for start in range(0, len(by_length), BATCH):
        yield by_length[start : start + BATCH]


def _read(line: bytes) -> Asked | Failed:
    try:
        asked = msgspec.json.decode(line, type=Asked)
    except msgspec.ValidationError as error:
        return Failed(None, Reason.WRONG_TYPE, str(error))
    except (ValueError, RecursionError) as error:
        return Failed(None, Reason.MALFORMED, str(error))
    if texts.is_blank(asked.text):
        return Failed(asked.id, Reason.EMPTY_TEXT, "`text` is blank")
    if (place := texts.bad_character(asked.text)) is not None:
        return Failed(asked.id, Reason.BAD_CHARACTERS, f"`text` has a NUL or a lone surrogate at {place}")
    return asked


def _answer(line: Asked, prediction: Prediction, scorer: Scorer) -> Answer | Failed:
    heads = _heads(prediction, scorer)
    if "error" in heads:
        return Failed(line.id, str(heads["error"]), str(heads["detail"]))
    return {"id": line.id, "entity": line.entity, **heads}


def _heads(prediction: Prediction, scorer: Scorer) -> Answer:
    if not math.isfinite(prediction.risk_score):
        return {"error": Reason.MODEL_ERROR, "detail": f"{scorer.name} gave {prediction.risk_score}"}
    return {**msgspec.structs.asdict(codec.name_heads(prediction, scorer.labels)), "model": scorer.name}
