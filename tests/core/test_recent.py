"""A bounded memory of keys."""

from __future__ import annotations

from riskstream.core.recent import Recent


def test_a_key_is_new_once_and_forgotten_when_others_push_it_out() -> None:
    recent = Recent(keys_max=2)
    asked = ["a", "a", "b", "a", "c", "b", "a"]
    assert [recent.seen(key) for key in asked] == [False, True, False, True, False, False, False]
    assert len(recent) == 2
