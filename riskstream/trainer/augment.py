"""Alterations of training pairs that leave their labels true.

Without them a model learns shortcuts of the data: that a pair without an entity is harmless (nearly all passages
without one are), that a known name is bad news, that only tweets come without a name.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from riskstream.trainer.config import AugmentConfig
from riskstream.trainer.data import Example

CASHTAG = re.compile(r"\$[A-Za-z]{1,5}\b")
NAME_MIN = 2
"""Shorter names are not swapped: a single letter or character may stand inside another word."""


class Augmenter:
    """Alters pairs with the shares of its config. `names` are drawn from training rows, per language."""

    def __init__(self, config: AugmentConfig, examples: Sequence[Example]) -> None:
        self._config = config
        self._names: dict[str, list[str]] = {}
        for lang in sorted({example.lang for example in examples}):
            self._names[lang] = sorted(
                {example.entity for example in examples if example.lang == lang and example.entity}
            )

    def pair(self, example: Example, rng: random.Random) -> tuple[str, str]:
        """The (entity, text) to ask this time."""
        entity, text = example.entity, example.text
        if not entity:
            return self._ticker(example, rng), text
        if example.kin == 1 and rng.random() < self._config.blank:
            return "", text
        if rng.random() < self._config.swap:
            entity, text = self._renamed(example, rng)
        if rng.random() < self._config.case:
            entity = entity.lower() if entity != entity.lower() else entity.upper()
        return entity, text

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
