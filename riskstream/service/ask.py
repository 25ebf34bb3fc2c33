"""Scores for whoever asks directly: a pipe (`riskstream score`) or a program (`POST /v1/score`).

    JSON line ─► text, entity, id ─► Question ─► batches by length ─► (explain) ─► one answer each

Exactly one line out per line in, in order: the scores, or `error` and `detail` with the feed's own reasons.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, cast

import msgspec

from riskstream.core.passages import WindowLimits
from riskstream.core.ports import Scorer
from riskstream.core.reading import text as texts
from riskstream.core.reading.attribution import Reading, Spans
from riskstream.core.records import Encoded, Prediction, Reason
from riskstream.scoring.explain import ExplainLimits, LeaveOut
from riskstream.scoring.worker import Worker
from riskstream.service import parts
from riskstream.service.question import (
    Answer,
    Question,
    Wishes,
    answer,
    items_of,
    passages_of,
    questions,
    risky_of,
    sent,
)
from riskstream.settings import Settings

LINES_AT_ONCE = 256
BATCH = 32


class Asked(msgspec.Struct, frozen=True):
    """A line in. An `entity` of null is none, as a table's export writes it."""

    text: str
    entity: str | None = None
    id: str | int | None = None


class Failed(msgspec.Struct, frozen=True):
    """A line out for one that could not be scored."""

    id: str | int | None
    error: str
    detail: str


class Desk(msgspec.Struct, frozen=True):
    """How texts are cut, and how much is done to explain one."""

    limits: WindowLimits = WindowLimits()
    explain: ExplainLimits = ExplainLimits()


def score_lines(
    settings: Settings, model: str | None, source: Iterable[bytes], out: BinaryIO, wishes: Wishes | None = None
) -> None:
    """Answer each line of `source` on `out`. Raises OperatorError where the model cannot be loaded."""
    section = settings.models.model_copy(update={"name": model}) if model else settings.models
    scorer, source = parts.load_scorer(section), iter(source)
    desk = Desk(parts.window_limits(settings.scoring), parts.explain_policy(settings.scoring).limits)
    while chunk := list(islice(source, LINES_AT_ONCE)):
        for told in score_chunk(chunk, scorer, desk, wishes or Wishes()):
            out.write(msgspec.json.encode(told) + b"\n")
        out.flush()


def score_chunk(
    lines: Sequence[bytes], scorer: Scorer, desk: Desk | None = None, wishes: Wishes | None = None
) -> list[Answer | Failed]:
    """The answers to some lines, in order."""
    desk, read = desk or Desk(), [_read(line) for line in lines]
    good = [line for line in read if isinstance(line, Asked)]
    pairs = [(line.entity or "", line.text) for line in good]
    steps, explainer = (
        answering(pairs, scorer, desk, [wishes or Wishes()] * len(pairs)),
        LeaveOut(scorer, desk.explain),
    )
    work, told = _step(steps, None)
    while work is not None:
        found = explainer.explain([work]) if isinstance(work, Reading) else scorer.score(work)
        work, told = _step(steps, found)
    answers = iter([_line(line, one) for line, one in zip(good, told, strict=True)])
    return [next(answers) if isinstance(line, Asked) else line for line in read]


async def score_pairs(
    worker: Worker, desk: Desk, pairs: Sequence[tuple[str, str]], wishes: Sequence[Wishes]
) -> list[Answer]:
    """The answer to each (entity, text), in order. Batches and explanations take their turns with those of others."""
    scorer = worker.scorer
    steps, explainer = answering(pairs, scorer, desk, wishes), LeaveOut(scorer, desk.explain)
    work, told = await asyncio.to_thread(_step, steps, None)
    while work is not None:
        found: Sequence[Prediction] | Sequence[Spans]
        if isinstance(work, Reading):
            found = (await worker.explain(explainer, [work])).spans
        else:
            found = (await worker.score(work, scorer)).predictions
        work, told = await asyncio.to_thread(_step, steps, found)
    return told


Work = Reading | Sequence[Encoded]
Found = Sequence[Spans] | Sequence[Prediction]
Steps = Generator[Work, Found, list[Answer]]


def answering(pairs: Sequence[tuple[str, str]], scorer: Scorer, desk: Desk, wishes: Sequence[Wishes]) -> Steps:
    """The way to the answers: yields what the model is to score or explain, is sent what it found."""
    asked = questions(pairs, scorer, desk.limits)
    found = yield from _scored(asked)
    told = []
    for question, said, wish in zip(asked, found, wishes, strict=True):
        one, first = answer(question, said, scorer)
        if wish.explain and "error" not in one:
            one["spans"] = yield from _explained(question, first)
        if wish.passages and "error" not in one:
            risky = risky_of(question, said, scorer, wish)
            passages = passages_of(risky, (yield from _scored([risky]))[0], scorer, wish)
            for window, passage in passages if wish.explain else ():
                passage["spans"] = yield from _explained(risky, window)
            one["passages"] = [passage for _, passage in passages]
        told.append(one)
    return told


def _scored(asked: Sequence[Question]) -> Generator[Work, Found, list[list[Prediction]]]:
    """The predictions of each question's windows; batches are of like lengths."""
    by_window: list[dict[int, Prediction]] = [{} for _ in asked]
    for batch in _batches(items_of(asked)):
        for item, prediction in zip(batch, (yield batch), strict=True):
            by_window[item.ticket.sequence][item.index] = cast("Prediction", prediction)
    return [[some[window] for window in range(len(some))] for some in by_window]


def _explained(question: Question, window: int) -> Generator[Work, Found, Spans]:
    (spans,) = yield question.reading(window)
    return sent(question, window, cast("Spans", spans))


def _step(steps: Steps, found: Any) -> tuple[Work | None, list[Answer]]:
    """The next piece of work, or the answers. Runs on any thread: between two pieces of work texts are tokenised."""
    try:
        return steps.send(found), []
    except StopIteration as end:
        return None, end.value


def _batches(items: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    by_length = sorted(items, key=lambda item: len(item.tokens))
    for start in range(0, len(by_length), BATCH):
        yield by_length[start : start + BATCH]


def _read(line: bytes) -> Asked | Failed:
    try:
        asked = msgspec.json.decode(line, type=Asked)
    except msgspec.ValidationError as error:
        return _unfit(line, str(error))
    except (ValueError, RecursionError) as error:
        return Failed(None, Reason.MALFORMED, str(error))
    if texts.is_blank(asked.text):
        return Failed(asked.id, Reason.EMPTY_TEXT, "`text` is blank")
    if (place := texts.bad_character(asked.text)) is not None:
        return Failed(asked.id, Reason.BAD_CHARACTERS, f"`text` has a NUL or a lone surrogate at {place}")
    return asked


def _unfit(line: bytes, detail: str) -> Failed:
    """JSON that is no line in; with its id, where that is one, so that the answer can still be joined."""
    try:
        told = msgspec.json.decode(line)
    except (ValueError, RecursionError) as error:
        return Failed(None, Reason.MALFORMED, str(error))
    if not isinstance(told, dict):
        return Failed(None, Reason.NOT_AN_OBJECT, detail)
    name = told.get("id")
    known = name if isinstance(name, str | int) and not isinstance(name, bool) else None
    return Failed(known, Reason.WRONG_TYPE if "text" in told else Reason.MISSING_FIELD, detail)


def _line(line: Asked, told: Answer) -> Answer | Failed:
    if "error" in told:
        return Failed(line.id, str(told["error"]), str(told["detail"]))
    return {"id": line.id, "entity": line.entity or "", **told}
