"""Pairs of (entity, text) to token ids, as the model was trained to read them.

    <s> entity </s></s> text </s>        with an entity
    <s> text </s>                        without

The frame is not written here: it is the post-processor of the version's own `tokenizer.json`, so another base model
brings its own. Only the text is cut when a pair is too long; the entity is what the question is about.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from riskstream.core.errors import OperatorError
from riskstream.core.passages import Span

ENTITY_SHARE_MAX = 4
"""An entity may take at most this part (one quarter) of the limit, so that there is always text left to read."""


class PairTokenizer:
    """A version's tokenizer. Encoding may run on any thread: the Rust tokenizer holds no state between calls."""

    def __init__(self, tokenizer: Tokenizer, tokens_max: int) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._entity_max = max(1, tokens_max // ENTITY_SHARE_MAX)
        self._tokens_max = tokens_max
        self._frame_alone = tokenizer.num_special_tokens_to_add(False)
        self._frame_pair = tokenizer.num_special_tokens_to_add(True)
        self._tokenizer.no_truncation()

    @classmethod
    def load(cls, path: Path, tokens_max: int) -> PairTokenizer:
        """Read a `tokenizer.json`. Raises OperatorError where it is missing or broken."""
        try:
            return cls(Tokenizer.from_file(str(path)), tokens_max)
        except Exception as error:  # the Rust library raises bare Exception
            raise OperatorError(
                "tokenizer.json", str(path), str(error), "restore the version directory from its source"
            ) from error

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, ...]]:
        """Token ids of each (entity, text), unpadded, at most `tokens_max` long, in order."""
        inputs = [(entity, text) if entity else text for entity, text in pairs]
        encoded = self._tokenizer.encode_batch_fast(inputs, add_special_tokens=True)
        rows: list[tuple[int, ...]] = []
        for (entity, text), found in zip(pairs, encoded, strict=True):
            ids = found.ids
            rows.append(tuple(ids if len(ids) <= self._tokens_max else self._shortened(entity, text).ids))
        return rows

    def pieces(self, text: str) -> list[Span]:
        """The place in the text of each of its tokens, in order; without a frame, and not cut."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).offsets)

    def _shortened(self, entity: str, text: str) -> Encoding:
        """A pair that is too long, with its text (and an absurdly long entity) shortened."""
        tail = self._tokenizer.encode(text, add_special_tokens=False)
        if not entity:
            tail.truncate(self._tokens_max - self._frame_alone)
            return self._tokenizer.post_process(tail)
        head = self._tokenizer.encode(entity, add_special_tokens=False)
        head.truncate(self._entity_max)
        tail.truncate(max(1, self._tokens_max - self._frame_pair - len(head.ids)))
        return self._tokenizer.post_process(head, tail)
