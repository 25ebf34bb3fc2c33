"""Alterations of training pairs that leave their labels true.

Without them a model learns shortcuts of the data: that a pair without an entity is harmless (nearly all passages
without one are), that a known name is bad news, that only tweets come without a name.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from importlib.resources import files

import msgspec

from riskstream.trainer.config import AugmentConfig
from riskstream.trainer.data.examples import Example
from riskstream.trainer.data.rewrite import Rewriter

CASHTAG = re.compile(r"\$[A-Za-z]{1,5}\b")
NAME_MIN = 2
"""Shorter names are not swapped: a single letter or character may stand inside another word."""
JOINED_CHARS_MAX = 220
"""Longer texts are not joined to others: the pair would be cut."""
JOINERS = {"zh": ("；", "。", "，而", "\n", " "), "": ("; ", ". ", ", while ", " | ", "\n", " - ")}


class Augmenter:
    """Alters pairs with the shares of its config. `names` are drawn from training rows, per language.

    `rewriter` writes a row's text otherwise before anything else is done to it.
    """

    def __init__(self, config: AugmentConfig, examples: Sequence[Example], rewriter: Rewriter | None = None) -> None:
        self._config, self._rewriter = config, rewriter
        self._orders = orders()
        self._names: dict[str, list[str]] = {}
        self._partners: dict[str, list[Example]] = {}
        for lang in sorted({example.lang for example in examples}):
            self._names[lang] = sorted(
                {example.entity for example in examples if example.lang == lang and example.entity}
            )
            self._partners[lang] = [example for example in examples if example.lang == lang and joinable(example)]

    def pair(self, example: Example, rng: random.Random) -> tuple[str, str]:
        """The (entity, text) to ask this time."""
        if self._rewriter is not None:
            entity, text = self._rewriter.pair(example.entity, example.text, example.lang, rng)
            example = msgspec.structs.replace(example, entity=entity, text=text)
        entity, text = self._asked(example, rng)
        return entity, self._ordered(text, example.lang, rng)

    def _asked(self, example: Example, rng: random.Random) -> tuple[str, str]:
        entity, text = example.entity, example.text
        if not entity:
            return self._ticker(example, rng), text
        if example.kin == 1 and rng.random() < self._config.blank:
            return "", text
        if rng.random() < self._config.swap:
            entity, text = self._renamed(example, rng)
        if joinable(example) and rng.random() < self._config.join:
            text = self._joined(entity, text, example, rng)
        if rng.random() < self._config.case:
            entity = entity.lower() if entity != entity.lower() else entity.upper()
        return entity, text

    def _ordered(self, text: str, lang: str, rng: random.Random) -> str:
        """The text with an order to its reader before or behind it, which changes nothing of what it reports."""
        orders = self._orders.get(lang)
        if not self._config.orders or not orders or rng.random() >= self._config.orders:
            return text
        order = rng.choice(orders)
        return f"{order} {text}" if rng.random() < 0.5 else f"{text} {order}"

    def _ticker(self, example: Example, rng: random.Random) -> str:
        found: set[str] = set(CASHTAG.findall(example.text))
        if example.kin == 1 and len(found) == 1 and rng.random() < self._config.cashtag:
            tag = found.pop()
            return tag if rng.random() < 0.5 else tag[1:]
        return ""

    def _renamed(self, example: Example, rng: random.Random) -> tuple[str, str]:
        entity, text = example.entity, example.text
        names = self._names.get(example.lang, [])
        if len(entity) < NAME_MIN or entity not in text or not names:
            return entity, text
        other = rng.choice(names)
        if other in text or entity in other:
            return entity, text
        return other, text.replace(entity, other)

    def _joined(self, entity: str, text: str, example: Example, rng: random.Random) -> str:
        """The text beside another about somebody else, so that only the entity tells which of the two is asked."""
        partners = self._partners[example.lang]
        other = rng.choice(partners)
        if other.text == example.text or other.entity in text or entity in other.text:
            return text
        joiner = rng.choice(JOINERS.get(example.lang, JOINERS[""]))
        first, second = (text, other.text) if rng.random() < 0.5 else (other.text, text)
        return first.rstrip(".。;；") + joiner + second


def orders() -> dict[str, list[str]]:
    """Packaged orders to the reader, per language; none of those that `bias.json` measures with."""
    return msgspec.json.decode((files("riskstream.trainer") / "orders.json").read_bytes(), type=dict[str, list[str]])


def joinable(example: Example) -> bool:
    """Whether a text may stand beside another: short, and about one entity that it names."""
    return len(example.entity) > 0 and example.entity in example.text and len(example.text) <= JOINED_CHARS_MAX


def contrasting(examples: Sequence[Example], factor: float) -> list[Example]:
    """The examples, with those drawn `factor` times as often whose text has another label for another entity."""
    answers: dict[str, set[tuple[int | None, int | None]]] = {}
    for example in examples:
        if example.entity:
            answers.setdefault(example.text, set()).add((example.sentiment, example.severity))
    opposed = {text for text, found in answers.items() if len(found) > 1}
    return [
        msgspec.structs.replace(example, repeat=example.repeat * factor)
        if example.entity and example.text in opposed
        else example
        for example in examples
    ]
