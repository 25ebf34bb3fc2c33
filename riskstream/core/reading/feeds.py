"""A feed's message as a `Document`, or a `Rejected` that says why not. Never an exception, whatever the bytes.

    bytes ──JSON──► object ──field map──► id, text, source, published_at, … ──checks──► Document
      └──────────────────────────────────────┴──────────────────────────────────┴─────► Rejected(reason, detail)

Rule 1. `id`, `text`, `source` and `published_at` must be there. An id made of the position would let a text that is
        sent again count twice, and a made-up time would put it in the wrong window. Only `source` may have a default,
        the feed's own (`FeedSpec.source`), for a feed that is one source. A text must not be blank, whatever the
        title: a feed of headlines maps `text` to them.
Rule 2. What only describes the text never loses it: an unknown `kind` is the feed's, a `lang` that is no language code
        is the feed's or told by the text, a `url` beyond 2,048 characters, or that is no http or https address, is
        left out: people open it. A value of a wrong type is
        refused all the same.
Rule 3. A null is an absent field. A number serves as `id`. A single string serves as `entities`.
Rule 4. Time: ISO 8601, or milliseconds since 1970 as a number or a string of digits. A number below 10^11 (1973) is
        refused, because it means seconds; so is what lies outside 1970 to 2100. More than `ahead_max_s` after the
        arrival, the arrival is used and `clamped` set; more than `age_max_s` before it, `late` is set.
Rule 5. The arrival is the message's timestamp. Where that is no time (-1: none kept), it is the time of publication.
Rule 6. A detail names the field and shows scalar values, at most 200 characters; it never shows the text.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

import msgspec

from riskstream.core.clock import EARLIEST_MS, LATEST_MS, parse_ms
from riskstream.core.errors import OperatorError
from riskstream.core.reading import text as texts
from riskstream.core.reading.masking import mask
from riskstream.core.reading.paths import ABSENT, compile_path, follow
from riskstream.core.reading.text import Origin
from riskstream.core.records import Document, Message, Reason, Rejected

FIELDS = ("id", "text", "source", "published_at", "title", "author", "kind", "lang", "url", "entities")
KINDS = ("news", "social", "filing", "customer")

BYTES_MAX = 1_000_000
"""The broker's own default limit of a record is 1 MiB: what is larger came by a setting that we do not share."""
ID_CHARS_MAX = 512
SOURCE_CHARS_MAX = 256
URL_CHARS_MAX = 2_048
TITLE_CHARS_MAX = 300
"""Of the title as published; the model reads all of it."""
DETAIL_CHARS_MAX = 200
SECONDS_BELOW = 100_000_000_000

_WEB = re.compile(r"https?://", re.IGNORECASE)
_LANG = re.compile(r"([a-z]{2,3})(?:[-_].*)?", re.DOTALL)
_EPOCH_DIGITS = re.compile(r"-?[0-9]{9,20}(?:\.[0-9]{1,9})?")


class FeedSpec(msgspec.Struct, frozen=True):
    """What the operator says of a feed.

    `fields` maps our field names to paths in the producer's JSON; a field that it does not name keeps its own name.
    `source` and `lang` stand in where a document has none. `market` asks for a signal about the market where a document
    names nobody. `weight` is the feed's reliability, `source_weights` that of single sources of it.
    With `mask`, personal data goes before anything is made of the text; `mask_names` are paths to names of people.
    The limits are those of rules 2 and 4.
    """

    name: str
    topic: str
    kind: str = "news"
    fields: dict[str, str] = {}
    lang: str = ""
    source: str = ""
    market: bool = False
    weight: float = 1.0
    source_weights: dict[str, float] = {}
    mask: bool = False
    mask_names: tuple[str, ...] = ()
    bytes_max: int = BYTES_MAX
    age_max_s: int = 86_400
    ahead_max_s: int = 300


class _Refusal(Exception):
    """Carries a reason out of the checks; it never leaves this file."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail)


class _Times(NamedTuple):
    published_ms: int
    received_ms: int
    event_ms: int
    late: bool
    clamped: bool


class Decoder:
    """Decodes one feed. Raises OperatorError, at construction only, where the feed's description is wrong."""

    def __init__(self, spec: FeedSpec) -> None:
        where = f"feed {spec.name!r}"
        if spec.kind not in KINDS:
            raise OperatorError(f"{where} kind", spec.kind, "no such kind", f"use one of {', '.join(KINDS)}")
        for field in spec.fields:
            if field not in FIELDS:
                fix = f"map only {', '.join(FIELDS)}"
                raise OperatorError(f"{where} fields", field, "a document has no such field", fix)
        self.spec = spec
        self._paths = {field: compile_path(f"{where} fields.{field}", path) for field, path in spec.fields.items()}
        self._names = tuple(compile_path(f"{where} mask_names", path) for path in spec.mask_names)

    def decode(self, message: Message) -> Document | Rejected:
        """The document in this message, or why there is none."""
        try:
            return self._document(message, self._object(message.value))
        except _Refusal as refusal:
            detail = mask(refusal.detail) if self.spec.mask else refusal.detail
            return Rejected(message.position, refusal.reason, detail[:DETAIL_CHARS_MAX])

    def origin(self, message: Message, text: str) -> Origin:
        """The way back to the feed's own text from that of the document which this message was decoded to; to the
        masked text where the feed is masked."""
        found = self._object(message.value)
        return texts.origin(self._told(found, self._string(found, "text")), text)

    def _told(self, found: dict[str, Any], text: str) -> str:
        """The text as it may be told: as it is, or masked."""
        if not self.spec.mask:
            return text
        names = (follow(found, path) for path in self._names)
        return mask(texts.clean(text), [name for name in names if isinstance(name, str)])

    def _object(self, value: bytes | None) -> dict[str, Any]:
        if value is None:
            raise _Refusal(Reason.NULL_VALUE, "the message has no value")
        if len(value) > self.spec.bytes_max:
            raise _Refusal(Reason.TOO_LARGE, f"the value has {len(value)} bytes, at most {self.spec.bytes_max}")
        found = _parse(value)
        if not isinstance(found, dict):
            shown = "a string" if isinstance(found, str) else _show(found)
            raise _Refusal(Reason.NOT_AN_OBJECT, f"the value is {shown}, not an object")
        return found

    def _document(self, message: Message, found: dict[str, Any]) -> Document:
        document_id = self._name(found, "id", "", ID_CHARS_MAX)
        body = self._told(found, self._string(found, "text"))
        title = self._told(found, self._string(found, "title", ""))
        times = self._times(self._value(found, "published_at"), message.timestamp_ms)
        source = self._name(found, "source", self.spec.source, SOURCE_CHARS_MAX)
        kind = self._string(found, "kind", "").strip().lower()
        url = self._told(found, self._string(found, "url", "").strip())
        lang = _LANG.fullmatch(self._string(found, "lang", "").strip().lower()) or _LANG.fullmatch(self.spec.lang)
        plain = texts.clean(body)
        if texts.is_blank(plain):
            raise _Refusal(Reason.EMPTY_TEXT, f"text has {len(body)} characters and none that could be read")
        whole = texts.compose(texts.clean(title).strip(), plain.strip())
        return Document(
            position=message.position,
            feed=self.spec.name,
            document_id=document_id,
            text=whole,
            body_at=len(whole) - len(plain.strip()),
            title=texts.snippet(texts.unescape(title), TITLE_CHARS_MAX),
            snippet=texts.snippet(plain),
            source=source,
            author="" if self.spec.mask else self._string(found, "author", "").strip()[:SOURCE_CHARS_MAX],
            kind=kind if kind in KINDS else self.spec.kind,
            lang=lang[1] if lang else texts.language(whole),
            url=url if len(url) <= URL_CHARS_MAX and _WEB.match(url) else "",
            entities=self._entities(found),
            published_ms=times.published_ms,
            received_ms=times.received_ms,
            event_ms=times.event_ms,
            late=times.late,
            clamped=times.clamped,
            fingerprint=texts.fingerprint(whole),
        )

    def _value(self, found: dict[str, Any], field: str) -> Any:
        """The field's value; None where it is absent or null."""
        if (path := self._paths.get(field)) is None:
            return found.get(field)
        value = follow(found, path)
        return None if value is ABSENT else value

    def _label(self, field: str) -> str:
        return f"{field} ({self.spec.fields[field]})" if field in self.spec.fields else field

    def _string(self, found: dict[str, Any], field: str, default: str | None = None) -> str:
        """A string field without NULs and lone surrogates. Without a default it must be there."""
        value = self._value(found, field)
        if value is None:
            if default is None:
                raise _Refusal(Reason.MISSING_FIELD, f"{self._label(field)} is missing or null")
            return default
        if not isinstance(value, str):
            raise _Refusal(Reason.WRONG_TYPE, f"{self._label(field)} is {_show(value)}, not a string")
        bad = texts.bad_character(value)
        if bad is not None:
            what = f"U+{ord(value[bad]):04X} at character {bad}"
            raise _Refusal(Reason.BAD_CHARACTERS, f"{self._label(field)} has {what}: a NUL or half of a surrogate pair")
        return value

    def _name(self, found: dict[str, Any], field: str, default: str, chars_max: int) -> str:
        """An id or a source: must be there and not blank, and is short; a whole number will do."""
        value = self._value(found, field)
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**30:
            return str(value)
        name = self._string(found, field, default).strip() or default
        if not name:
            raise _Refusal(Reason.MISSING_FIELD, f"{self._label(field)} is missing, null or empty")
        if len(name) > chars_max:
            raise _Refusal(Reason.TOO_LARGE, f"{self._label(field)} has {len(name)} characters, at most {chars_max}")
        return name

    def _entities(self, found: dict[str, Any]) -> tuple[str, ...]:
        value = self._value(found, "entities")
        items = [] if value is None else [value] if isinstance(value, str) else value
        wrong = [item for item in items if not isinstance(item, str)] if isinstance(items, list) else [items]
        if wrong:
            shown = f"holds {_show(wrong[0])}" if isinstance(items, list) else f"is {_show(value)}"
            raise _Refusal(Reason.WRONG_TYPE, f"{self._label('entities')} {shown}, not strings")
        return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))

    def _times(self, value: Any, timestamp_ms: int) -> _Times:
        label = self._label("published_at")
        if value is None:
            raise _Refusal(Reason.MISSING_FIELD, f"{label} is missing or null")
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _Refusal(Reason.WRONG_TYPE, f"{label} is {_show(value)}, neither ISO 8601 nor milliseconds")
        try:
            published = _milliseconds(value)
        except (ValueError, OverflowError) as error:
            raise _Refusal(Reason.BAD_TIME, f"{label} is {_show(value)}: {error}") from None
        if not EARLIEST_MS <= published < LATEST_MS:
            raise _Refusal(Reason.BAD_TIME, f"{label} is {_show(value)}: outside 1970 to 2100")
        received = timestamp_ms if EARLIEST_MS < timestamp_ms < LATEST_MS else published
        clamped = published - received > self.spec.ahead_max_s * 1_000
        late = received - published > self.spec.age_max_s * 1_000
        return _Times(published, received, received if clamped else published, late, clamped)


def _parse(value: bytes) -> Any:
    """The JSON value. What msgspec refuses the standard library reads again: it also takes a lone surrogate, NaN, a
    number beyond every bound and a byte order mark, so that these are judged as values of their fields, if they matter.
    """
    try:
        return msgspec.json.decode(value)
    except RecursionError:
        raise _Refusal(Reason.MALFORMED, "nested too deeply") from None
    except ValueError as error:
        first = str(error)
    try:
        return json.loads(value.decode("utf-8-sig", "surrogatepass"))
    except RecursionError:
        raise _Refusal(Reason.MALFORMED, "nested too deeply") from None
    except ValueError:
        raise _Refusal(Reason.MALFORMED, f"not JSON: {first}") from None


def _milliseconds(value: str | float) -> int:
    """The time, still without bounds. Raises ValueError, which says what is wrong with it."""
    if isinstance(value, str):
        value = value.strip()
        if not _EPOCH_DIGITS.fullmatch(value):
            if len(value) > 40:
                raise ValueError("not ISO 8601")
            return parse_ms(value)
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not a number")
    if 0 <= value < SECONDS_BELOW:
        raise ValueError("before 1973; milliseconds are needed, not seconds")
    return math.floor(value)


def _show(value: Any) -> str:
    """A value for a detail: scalars as they are, cut; of the rest only what they are."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value[:80])
        case int() if abs(value) >= 10**30:
            return "a huge number"
        case int() | float():
            return str(value)
        case list():
            return "an array"
        case _:
            return "an object"
