"""The same news in other words: pure functions of a text and a seeded generator, which leave every label true.

    text ──► translated ──► rename ──► synonyms ──► typos ──► dressing ──► text
                              │            └─ never inside the entity, links, tags or handles: `spared`
                              └─ the entity, in the question and in the text

Rule 1. Degrees stay: a word is replaced by one of the same strength only (`lexicon.toml`).
Rule 2. Numbers, negations and hedges are never touched: one letter there turns the news around.
Rule 3. The entity is found in the text afterwards as it was before; only the case of the whole text may change.
"""

from __future__ import annotations

import csv
import random
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path

from riskstream.core.errors import OperatorError
from riskstream.trainer.config import RewriteConfig
from riskstream.trainer.data.back_translate import back_translated, usable
from riskstream.trainer.data.copies import CJK, HANDLE, LINK

TAG = re.compile(r"[$#]\w+")
WORD = re.compile(r"\b[a-z]{5,}\b")
WORD_SHARE, TYPO_SHARE = 0.6, 0.1
"""Within a text that is altered: the share of its known words replaced, and of its longer words misspelt."""
NEVER_MISSPELT = frozenset(
    {"never", "without", "denies", "denied", "denying", "unlikely", "unless", "could", "would", "might", "likely"}
    | {"rumor", "rumour", "alleged", "allegedly", "reportedly", "neither", "avoid", "avoids", "avoided", "averts"}
)
TO_HALF = str.maketrans("，：；！？（）％", ",:;!?()%")
TO_FULL = str.maketrans("%()", "％（）")
STRAIGHT_TO_CURLY = str.maketrans({"'": "’"})
CURLY_TO_STRAIGHT = str.maketrans({"’": "'", "“": '"', "”": '"'})
Spans = Sequence[tuple[int, int]]


class Rewriter:
    """Writes pairs otherwise, with the shares of its config.

    `names` are those to rename entities to, by script; `translated` has texts that went there and back.
    """

    def __init__(
        self,
        config: RewriteConfig,
        names: Mapping[str, Sequence[str]] | None = None,
        translated: Mapping[str, str] | None = None,
    ) -> None:
        self._config, self._translated = config, translated or {}
        self._names = names if names is not None else watchlist_names([Path(path) for path in config.watchlists])

    def pair(self, entity: str, text: str, lang: str, rng: random.Random) -> tuple[str, str]:
        """The (entity, text) to ask this time."""
        config = self._config
        if text in self._translated and rng.random() < config.translate:
            text = usable(text, self._translated[text], entity)
        if rng.random() < config.rename:
            entity, text = renamed(entity, text, self._names.get(script(entity), ()), rng)
        if rng.random() < config.synonyms:
            text = synonyms(text, lang, rng, keep=entity)
        if rng.random() < config.typos:
            text = typos(text, rng, keep=entity)
        if rng.random() < config.dressing:
            text = dressed(text, rng, keep=entity)
        return entity, text


def rewriter_of(config: RewriteConfig, texts: Iterable[str], cache: Path) -> Rewriter:
    """The rewriter of a run over these texts; with `translate`, they are all translated first, once."""
    translated = (
        back_translated(sorted(set(texts)), config.translate_command, cache, timeout_s=config.translate_timeout_s)
        if config.translate
        else {}
    )
    return Rewriter(config, translated=translated)


def synonyms(text: str, lang: str, rng: random.Random, *, keep: str = "", share: float = WORD_SHARE) -> str:
    """The text with this share of its words of the lexicon replaced by others that mean the same."""
    table, pattern = _lexicon(lang)
    if not table:
        return text
    taken = spared(text, keep)

    def other(match: re.Match[str]) -> str:
        if _touches(match.span(), taken) or rng.random() >= share:
            return match[0]
        return _cased_like(match[0], rng.choice(table[match[0].lower()]))

    return pattern.sub(other, text)


def typos(text: str, rng: random.Random, *, keep: str = "", share: float = TYPO_SHARE) -> str:
    """The text with this share of its longer lower-case Latin words misspelt by one letter inside."""
    taken = spared(text, keep)

    def misspelt(match: re.Match[str]) -> str:
        word = match[0]
        if word in NEVER_MISSPELT or _touches(match.span(), taken) or rng.random() >= share:
            return word
        place = rng.randrange(1, len(word) - 2)
        swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        return rng.choice([swapped, word[:place] + word[place + 1 :], word[:place] + word[place] + word[place:]])

    return WORD.sub(misspelt, text)


def dressed(text: str, rng: random.Random, *, keep: str = "") -> str:
    """The text in another dress, if one fits it: another case, other marks, another width."""
    fitting = [way for way in WAYS if way(text, keep) != text]
    return rng.choice(fitting)(text, keep) if fitting else text


def lower(text: str, keep: str) -> str:
    """All small, as in a chat."""
    return _outside(text, spared(text, ""), str.lower)


def upper(text: str, keep: str) -> str:
    """All capitals, as on a wire."""
    return _outside(text, spared(text, ""), str.upper)


def without_stop(text: str, keep: str) -> str:
    """Without the full stop at its end, as a headline. A question keeps its mark."""
    ends = text.endswith((".", "。")) and not text.endswith("..") and not (keep and text.endswith(keep))
    return text[:-1] if ends else text


def half_width(text: str, keep: str) -> str:
    """Chinese marks as a Western keyboard writes them."""
    return _outside(text, spared(text, keep), lambda part: part.translate(TO_HALF))


def full_width(text: str, keep: str) -> str:
    """Marks and percent signs of a Chinese text as wide as its characters."""
    return _outside(text, spared(text, keep), lambda part: part.translate(TO_FULL)) if CJK.search(text) else text


def curly(text: str, keep: str) -> str:
    """Typeset apostrophes."""
    return _outside(text, spared(text, keep), lambda part: part.translate(STRAIGHT_TO_CURLY))


def straight(text: str, keep: str) -> str:
    """Typed quotes and apostrophes."""
    return _outside(text, spared(text, keep), lambda part: part.translate(CURLY_TO_STRAIGHT))


WAYS: tuple[Callable[[str, str], str], ...] = (lower, upper, without_stop, half_width, full_width, curly, straight)


def renamed(entity: str, text: str, names: Sequence[str], rng: random.Random) -> tuple[str, str]:
    """Another name in the question and in the text; as it was where the name does not stand there as a whole."""
    whole = re.compile(rf"(?<![^\W_]){re.escape(entity)}(?![^\W_])" if script(entity) == "latin" else re.escape(entity))
    if len(entity) < 2 or not names or not whole.search(text):
        return entity, text
    other = rng.choice(names)
    if other.casefold() in text.casefold() or entity.casefold() in other.casefold():
        return entity, text
    changed = whole.sub(lambda _: other, text)
    left = entity.casefold() in changed.casefold().replace(other.casefold(), " ")
    return (entity, text) if left else (other, changed)


def watchlist_names(paths: Iterable[Path]) -> dict[str, tuple[str, ...]]:
    """The names of watchlists (column `name`), by script: `latin` or `cjk`. Raises OperatorError for a bad file."""
    found: dict[str, set[str]] = {"latin": set(), "cjk": set()}
    for path in paths:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError) as error:
            raise OperatorError("rewrite.watchlists", str(path), str(error), "give a watchlist in CSV") from error
        if rows and "name" not in rows[0]:
            raise OperatorError("rewrite.watchlists", str(path), "has no column `name`", "give a watchlist in CSV")
        for row in rows:
            if name := (row["name"] or "").strip():
                found[script(name)].add(name)
    return {kind: tuple(sorted(names)) for kind, names in found.items()}


def script(name: str) -> str:
    """`cjk` for a name with Chinese characters in it, else `latin`."""
    return "cjk" if CJK.search(name) else "latin"


def spared(text: str, keep: str) -> list[tuple[int, int]]:
    """Where a text is not to be touched: the entity, wherever it stands, links, handles and tags."""
    spans = [match.span() for pattern in (LINK, HANDLE, TAG) for match in pattern.finditer(text)]
    if keep:
        spans += [match.span() for match in re.finditer(re.escape(keep), text, re.IGNORECASE)]
    return sorted(spans)


def _touches(span: tuple[int, int], taken: Spans) -> bool:
    return any(span[0] < end and start < span[1] for start, end in taken)


def _outside(text: str, taken: Spans, change: Callable[[str], str]) -> str:
    parts, place = [], 0
    for start, end in taken:
        if end > place:
            parts += [change(text[place : max(place, start)]), text[max(place, start) : end]]
            place = end
    return "".join([*parts, change(text[place:])])


def _cased_like(word: str, other: str) -> str:
    if word.isupper() and len(word) > 3:
        return other.upper()
    return other[0].upper() + other[1:] if word[0].isupper() and not word.isupper() else other


@lru_cache(maxsize=8)
def _lexicon(lang: str) -> tuple[dict[str, list[str]], re.Pattern[str]]:
    tables = tomllib.loads(resources.files("riskstream.trainer").joinpath("lexicon.toml").read_text("utf-8"))
    table = {word.lower(): others for word, others in tables.get(lang, {}).items()}
    words = "|".join(re.escape(word) for word in sorted(table, key=len, reverse=True))
    edge = "" if lang == "zh" else r"\b"
    return table, re.compile(rf"{edge}(?:{words}){edge}", re.IGNORECASE)
