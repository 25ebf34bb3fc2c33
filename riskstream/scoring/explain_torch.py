"""Which words moved a score, where torch runs the model: gradients nominate words, leaving them out weighs them.

    embeddings of the text ──× 1/8, 3/8, 5/8, 7/8──► network ──► z, the logit of material or severe ──► dz/d embedding
    a word's estimate = mean gradient · its embeddings ─► the `words_max` largest ─► left out one by one ─► weights

Rule 1. The path begins at the pair with a blank text: frame and entity are the question and stay as they are.
Rule 2. What is published is measured: a gradient tells where to look, never how much (decision 8 has the figures).
Rule 3. `STEPS` forward and backward passes and `words_max` + 1 forward ones, however many words the text has.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from riskstream.core.attribution import Reading, Spans, by_word, candidates
from riskstream.core.passages import Span
from riskstream.scoring.calibration import UPPER
from riskstream.scoring.explain import LeaveOut
from riskstream.scoring.heads import RiskNet, pad
from riskstream.scoring.tokenizer import PairTokenizer

STEPS = 4
BATCH = 8
"""Readings at a time: the activations that a backward pass needs are kept for all of them."""


class IntegratedGradients:
    """Explains a network in torch. `leave_out` runs the same network."""

    def __init__(self, net: RiskNet, tokenizer: PairTokenizer, pad_id: int, leave_out: LeaveOut) -> None:
        self._net, self._tokenizer, self._pad_id, self._leave_out = net, tokenizer, pad_id, leave_out

    def explain(self, readings: Sequence[Reading]) -> list[Spans]:
        """The spans that moved each score, in order."""
        found: list[Spans] = []
        for start in range(0, len(readings), BATCH):
            some = readings[start : start + BATCH]
            runs = [[(word,) for word in words] for words in self.nominate(some)]
            bases = self._leave_out.log_odds([(reading.entity, reading.text) for reading in some])
            weighed = self._leave_out.weigh(some, bases, runs)
            found += [self._leave_out.named(*one) for one in zip(some, weighed, strict=True)]
        return found

    def nominate(self, readings: Sequence[Reading]) -> list[list[Span]]:
        """The words of each text that move its score most, as far as gradients tell, in text order."""
        rows = self._tokenizer.encode([(reading.entity, reading.text) for reading in readings])
        places = [self._tokenizer.places(reading.entity, reading.text) for reading in readings]
        ids, mask = pad(rows, self._pad_id)
        of_text = torch.zeros(ids.shape, dtype=torch.bool)
        for line, some in enumerate(places):
            of_text[line, : len(some)] = torch.tensor([place is not None for place in some])
        device = next(self._net.parameters()).device
        weights = self._weights(ids.to(device), mask.to(device), of_text.to(device)).cpu().tolist()
        chosen = []
        for reading, some, line in zip(readings, places, weights, strict=True):
            words = candidates(reading, self._tokenizer.pieces(reading.text))
            estimates = by_word(words, some, line[: len(some)])
            largest = sorted(estimates, key=lambda pair: -abs(pair[1]))[: self._leave_out.limits.words_max]
            chosen.append(sorted(word for word, _ in largest))
        return chosen

    def _weights(self, ids: Tensor, mask: Tensor, of_text: Tensor) -> Tensor:
        """The estimate of each token, (texts × tokens); 0 outside the text."""
        embed = self._net.encoder.get_input_embeddings()
        with torch.no_grad():
            whole = embed(ids)
        added = whole * of_text.unsqueeze(-1)
        total = torch.zeros_like(whole)
        for step in range(STEPS):
            at = (whole - added * (1 - (step + 0.5) / STEPS)).requires_grad_()
            hook = embed.register_forward_hook(lambda _module, _args, _out, at=at: at)
            try:
                with torch.enable_grad():
                    severity = self._net(ids, mask)["severity"]
                    z = severity[:, -UPPER:].logsumexp(dim=1) - severity[:, :-UPPER].logsumexp(dim=1)
                    (slope,) = torch.autograd.grad(z.sum(), at)
            finally:
                hook.remove()
            total += slope
        weights: Tensor = (total * added).sum(dim=-1)
        return weights
