"""State that an earlier release wrote is read by this one, and its alerts go on under their ids.

    testdata/state/v1.jsonl     what a lane had written half-way through a story: a key and its value a line
    testdata/state/v1.alerts    what the lane that takes over then tells: id, sequence, state, reason, value

The files were written by release 0.1.0 and are never written again: a version of the state that rises gets files of its
own (`python -m tests.core.test_state_golden NAME`), and these stay as long as version 1 is read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import pytest

from riskstream.core.errors import OperatorError
from riskstream.core.records import Alert, Signal
from riskstream.core.watching import codec, state
from riskstream.core.watching.watch import Watch, WatchLimits
from tests.core.signals import START_MS, WATCHLIST, make_signal, rules
from tests.core.test_watch_properties import EVERYTHING

FILES = Path(__file__).parents[1] / "testdata" / "state"
SIGNALS = 48
ENTITIES = ("ACME", "BOLT", "CARGO")


def story() -> list[tuple[Signal, int]]:
    """Signals that open, raise, hold and lower alerts of every rule, each with its arrival."""
    told = []
    for number in range(SIGNALS):
        score = (0.2, 0.95, 0.7, 0.4, 0.85, 0.1)[number * 7 % 6]
        signal = make_signal(
            f"d{number}",
            at_s=number * 1.5,
            entity=ENTITIES[number % 5 % 3],
            source=("wire", "blog", "desk")[number % 3],
            text=f"story {number // 4}",
            risk_score=score,
        )
        told.append((signal, START_MS + number * 1_500))
    return told


def engine() -> Watch:
    return Watch(rules(EVERYTHING), WATCHLIST, limits=WatchLimits(), keeps_state=True, config="golden")


def play(watch: Watch, part: list[tuple[Signal, int]]) -> list[Alert]:
    alerts: list[Alert] = []
    for signal, at_ms in part:
        alerts += watch.on_signal(signal, at_ms, msgspec.Raw(codec.encode(signal))).alerts
    return alerts


def line_of(alert: Alert) -> str:
    return (
        f"{alert.alert_id} {alert.sequence} {alert.rule} {alert.subject.id} {alert.state} {alert.reason} {alert.value}"
    )


def half_way() -> dict[str, str]:
    """What the lane of the first half has written."""
    watch, log = engine(), dict[str, str]()
    for offset, (signal, at_ms) in enumerate(story()[: SIGNALS // 2]):
        watch.on_signal(signal, at_ms, msgspec.Raw(codec.encode(signal)))
        records = [state.encode(change, offset) for change in watch.changes()]
        for key, value in [*records, state.encode_lane(watch.save(), offset)]:
            log.pop(key.decode(), None)
            if value is not None:
                log[key.decode()] = value.decode()
    return log


def taken_over(log: dict[str, str]) -> list[str]:
    """What the next owner tells of the second half, and until all is quiet."""
    watch = engine()
    watch.restore(state.split({key.encode(): value.encode() for key, value in log.items()}, "riskstream.state"))
    alerts = play(watch, story()[SIGNALS // 2 :])
    return [line_of(alert) for alert in [*alerts, *watch.on_time(START_MS + 600_000)]]


def stored(name: str) -> dict[str, str]:
    return dict(json.loads(line) for line in (FILES / f"{name}.jsonl").read_text().splitlines())


@pytest.mark.parametrize("name", [f"v{version}" for version in state.READABLE])
def test_what_a_readable_version_wrote_goes_on_under_its_ids(name: str) -> None:
    log = stored(name)
    assert len(log) >= 30
    assert {json.loads(value)["v"] for value in log.values()} == {int(name[1:])}
    assert {key.split("|")[1] for key in log} >= {state.SIGNAL, state.RULE, state.LANE}
    told = taken_over(log)
    assert told == (FILES / f"{name}.alerts").read_text().splitlines()
    assert sum(line.split()[1] != "1" for line in told) >= 10, "alerts that were open go on"


def test_it_is_what_one_owner_would_have_told() -> None:
    watch = engine()
    play(watch, story()[: SIGNALS // 2])
    alone = [*play(watch, story()[SIGNALS // 2 :]), *watch.on_time(START_MS + 600_000)]
    assert taken_over(half_way()) == [line_of(alert) for alert in alone]


def test_the_version_after_the_newest_is_refused_by_its_number() -> None:
    log = {
        key.encode(): value.replace('"v":1', f'"v":{state.VERSION + 1}').encode() for key, value in stored("v1").items()
    }
    told = rf"version {state.VERSION + 1}, this release reads.*run the release that wrote it"
    with pytest.raises(OperatorError, match=told):
        state.split(log, "riskstream.state")


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    written = half_way()
    (FILES / f"{sys.argv[1]}.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in written.items()))
    (FILES / f"{sys.argv[1]}.alerts").write_text("".join(line + "\n" for line in taken_over(written)))
