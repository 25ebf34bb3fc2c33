"""Rows of like length together: in training and in measuring, padding is what is saved."""

from __future__ import annotations

from collections.abc import Sequence


def by_length(lengths: Sequence[int], batch_tokens: int, draws: Sequence[int] | None = None) -> list[list[int]]:
    """Places grouped so that rows × longest row stays within `batch_tokens`; shortest first.

    Places of one number of `draws` stay side by side, by the longest of them; a full batch may still part them.
    """
    kin = draws if draws is not None else range(len(lengths))
    longest: dict[int, int] = {}
    for draw, length in zip(kin, lengths, strict=True):
        longest[draw] = max(length, longest.get(draw, 0))
    groups: list[list[int]] = []
    group: list[int] = []
    for place in sorted(range(len(lengths)), key=lambda i: (longest[kin[i]], kin[i])):
        if group and (len(group) + 1) * longest[kin[place]] > batch_tokens:
            groups.append(group)
            group = []
        group.append(place)
    if group:
        groups.append(group)
    return groups
