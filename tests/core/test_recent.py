"""Bounded memories."""

from __future__ import annotations

from riskstream.core.recent import Known, Recent


def test_a_key_is_new_once_and_forgotten_when_others_push_it_out() -> None:
    recent = Recent(keys_max=2)
    asked = ["a", "a", "b", "a", "c", "b", "a"]
    assert [recent.seen(key) for key in asked] == [False, True, False, True, False, False, False]
    assert len(recent) == 2


def test_a_value_is_known_until_others_push_it_out() -> None:
    known = Known[str, int](keys_max=2)
    known.put("a", 1)
    known.put("b", 2)
    assert known.get("a") == 1
    known.put("c", 3)
    assert [known.get(key) for key in "abc"] == [1, None, 3]
