"""Explaining takes its share of a busy model, and all that is left of an idle one."""

from __future__ import annotations

from riskstream.core.lanes.share import Share


def test_a_guest_waits_until_the_host_had_its_part() -> None:
    share = Share(0.25)
    assert share.may(host_waits=True)
    share.took(1.0)
    share.gave(2.0)
    assert not share.may(host_waits=True)
    share.gave(1.0)
    assert share.may(host_waits=True)


def test_an_idle_host_is_owed_nothing() -> None:
    share = Share(0.25)
    share.took(9.0)
    assert share.may(host_waits=False)
    assert share.may(host_waits=True)


def test_the_whole_model_owes_nothing() -> None:
    share = Share(1.0)
    share.took(9.0)
    assert share.may(host_waits=True)
