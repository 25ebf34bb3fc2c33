"""A batch cut into slices of texts of one length, so that none is padded."""

from __future__ import annotations

from collections.abc import Sequence


def equal_slices(lengths: Sequence[int], tokens_max: int) -> list[list[int]]:
    """The places of a batch's rows, in slices of one length of at most `tokens_max` tokens; a longer row stands alone.

    Longest first, so that no core is left with a long slice at the end.
    """
    cut: list[list[int]] = []
    length = -1
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if lengths[place] != length or (len(cut[-1]) + 1) * length > tokens_max:
            cut.append([])
            length = lengths[place]
        cut[-1].append(place)
    return cut
