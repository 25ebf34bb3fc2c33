"""The checker sees what it is there to see: each way in which a clean run can be spoilt is told by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from riskstream.core.clock import parse_ms
from tests.chaos import figures
from tests.chaos.checker import Findings, check
from tests.chaos.documents import Mix, entries
from tests.chaos.files import Record, Run
from tests.chaos.pauses import Pause, Span, charged, pauses, spans
from tests.chaos.simulator import Schedule, run_files

CALM = Schedule(
    seed=5,
    documents=80,
    mix=Mix(kills=1, nan=0.1, malformed=0.1, unwatched=0.1, repeated=0.2),
    feed_partitions=2,
    over_s=20.0,
    faults=(),
    in_flight_max=1000,
)


class Files:
    """The files of a clean run, to be spoilt."""

    def __init__(self, run: Run, inputs: list[Record], outputs: list[Record]) -> None:
        self.run, self.inputs, self.outputs = run, inputs, outputs

    def check(self) -> Findings:
        return check(self.run, self.inputs, self.outputs)

    def of(self, topic: str) -> list[Record]:
        return [record for record in self.outputs if record.topic == topic]

    def change(self, record: Record, **fields: object) -> None:
        """Something else in the JSON of a record."""
        value = json.dumps({**json.loads(record.value), **fields})
        self.outputs[self.outputs.index(record)] = msgspec.structs.replace(record, value=value)

    def again(self, record: Record) -> None:
        """The same record a second time, at the end of its partition."""
        end = max(one.offset for one in self.outputs if one.topic == record.topic)
        self.outputs.append(msgspec.structs.replace(record, offset=end + 1))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[Record], list[Record]]:
    return run_files(CALM, tmp_path_factory.mktemp("calm"))


@pytest.fixture
def files(clean: tuple[Run, list[Record], list[Record]]) -> Files:
    run, inputs, outputs = clean
    return Files(run, list(inputs), list(outputs))


def test_a_clean_run_is_clean_and_holds_every_kind(files: Files) -> None:
    assert files.check().clean
    assert {entry.kind for entry in entries(CALM.seed, CALM.documents, CALM.mix)} == {
        "plain",
        "nan",
        "kill",
        "malformed",
        "unwatched",
    }
    assert {record.topic for record in files.outputs} == {files.run.signals, files.run.alerts, files.run.dead_letters}


def raised(files: Files) -> Record:
    return next(record for record in files.of(files.run.alerts) if json.loads(record.value)["reason"] == "raised")


def a_lost_signal(files: Files) -> None:
    files.outputs.remove(files.of(files.run.signals)[3])


def a_lost_dead_letter(files: Files) -> None:
    files.outputs.remove(files.of(files.run.dead_letters)[0])


def a_lost_alert_record(files: Files) -> None:
    files.outputs.remove(raised(files))


def a_lost_last_sequence(files: Files) -> None:
    record = raised(files)
    files.change(record, sequence=json.loads(record.value)["sequence"] + 50)


def a_signal_twice(files: Files) -> None:
    files.again(files.of(files.run.signals)[3])


def a_dead_letter_twice(files: Files) -> None:
    files.again(files.of(files.run.dead_letters)[0])


def an_alert_record_twice(files: Files) -> None:
    files.again(raised(files))


def a_second_alert(files: Files) -> None:
    files.change(raised(files), alert_id="another", sequence=1)


def the_score_of_another_text(files: Files) -> None:
    files.change(files.of(files.run.signals)[3], risk_score=0.1234)


def a_signal_of_no_input(files: Files) -> None:
    files.change(files.of(files.run.signals)[3], signal_id="feed/0/99999#E00")


def an_alert_raised_too_early(files: Files) -> None:
    record = raised(files)
    files.change(record, value=json.loads(record.value)["value"] - 1)


def an_alert_that_ends(files: Files) -> None:
    files.change(raised(files), state="resolved")


def a_sound_text_as_a_dead_letter(files: Files) -> None:
    record = files.of(files.run.dead_letters)[0]
    plain = next(one for one in files.inputs if '"plain"' in one.headers["chaos"])
    place = {"riskstream-partition": str(plain.partition), "riskstream-offset": str(plain.offset)}
    files.outputs.append(msgspec.structs.replace(record, offset=10_000, headers={**record.headers, **place}))


def two_signals_of_an_entity_the_other_way_round(files: Files) -> None:
    def lane(record: Record) -> tuple[str, str]:
        signal = json.loads(record.value)
        return signal["signal_id"].rpartition("/")[0], signal["entity"]["id"]

    signals = files.of(files.run.signals)
    one, other = next((a, b) for a in signals for b in signals if a.offset < b.offset and lane(a) == lane(b))
    for record, twin in ((one, other), (other, one)):
        files.outputs[files.outputs.index(record)] = msgspec.structs.replace(record, value=twin.value)


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (a_lost_signal, "lost"),
        (a_lost_dead_letter, "lost"),
        (a_lost_alert_record, "lost"),
        (a_lost_last_sequence, "lost"),
        (a_signal_twice, "duplicated"),
        (a_dead_letter_twice, "duplicated"),
        (an_alert_record_twice, "duplicated"),
        (a_second_alert, "duplicated"),
        (two_signals_of_an_entity_the_other_way_round, "out_of_order"),
        (the_score_of_another_text, "wrong"),
        (a_signal_of_no_input, "wrong"),
        (an_alert_raised_too_early, "wrong"),
        (an_alert_that_ends, "wrong"),
        (a_sound_text_as_a_dead_letter, "wrong"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_what_is_spoilt_is_told(files: Files, spoil: Callable[[Files], None], kind: str) -> None:
    spoil(files)
    assert files.check().kinds()[kind] >= 1


def test_a_pause_is_counted_from_the_signal_before_or_the_arrival_whichever_is_later() -> None:
    def at(offset: int, seen_ms: int, value: str = "") -> Record:
        return Record("feed", 0, offset, "", value, {}, seen_ms)

    inputs = [at(0, 0), at(1, 1_000), at(2, 60_000)]
    signals = [at(n, ms, f'{{"signal_id": "feed/0/{n}#E01"}}') for n, ms in ((0, 500), (1, 21_000), (2, 60_100))]
    found = pauses(inputs, signals)
    assert [(pause.from_ms, pause.to_ms) for pause in found] == [(0, 500), (1_000, 21_000), (60_000, 60_100)]


@pytest.mark.parametrize(
    ("faults", "charged_to"),
    [
        ((), {"none": 20.0}),
        ((("kill", 900, 15_000),), {"kill": 20.0, "none": 5.0}),
        ((("kill", 0, 9_000), ("text", 12_000, 13_000)), {"kill+text": 20.0, "none": 5.0}),
        ((("kill", 0, 9_000), ("kill", 12_000, 50_000)), {"kill": 5.0, "kill+kill": 20.0}),
        ((("slow", 21_001, 29_000),), {"none": 20.0}),
    ],
)
def test_a_pause_is_charged_to_all_faults_that_it_meets(
    faults: tuple[tuple[str, int, int], ...], charged_to: dict[str, float]
) -> None:
    found = [Pause("feed", 0, 1_000, 21_000), Pause("feed", 1, 30_000, 35_000)]
    assert charged(found, [Span(*fault) for fault in faults]) == charged_to


def test_a_process_that_nobody_asked_to_end_is_a_fault_until_the_next_has_started(tmp_path: Path) -> None:
    ends = [("POD1", -9, False), ("POD2", -9, True), ("POD3", 1, False)]
    lines = [
        {"pod": pod, "event": "ended", "code": code, "asked": asked, "at_ms": 100} for pod, code, asked in ends
    ] + [{"pod": pod, "event": "started", "at_ms": 300} for pod, *_ in ends]
    (tmp_path / "members.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "faults.jsonl").write_text(
        '{"kind": "kill", "from_ms": 90, "to_ms": 400}\n{"kind": "text", "to_ms": 0, "from_ms": 0}\n'
    )
    assert spans(tmp_path) == [Span("kill", 90, 400), Span("text", 100, 300), Span("exit", 100, 300)]


def test_figures_come_from_the_files(tmp_path: Path) -> None:
    noon = parse_ms("2026-03-09T12:00:00Z")
    fault = '{"kind": "kill", "what": "POD1", "from_ms": 1, "to_ms": 2, "committed": 7}\n'
    (tmp_path / "faults.jsonl").write_text(2 * fault)
    lines = [
        {
            "pod": "POD1",
            "pid": pid,
            "at_ms": noon + s * 1000,
            "fenced": s // 30,
            "rss": 10.0 + s,
            "threads": 4,
            "connections": 7,
            "files": 2,
        }
        for pid, seconds in ((7, range(60)), (8, range(60, 90)))
        for s in seconds
    ]
    lines += [{**line, "pod": "POD2", "pid": 9, "fenced": 0} for line in lines]
    (tmp_path / "members.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert figures.faults(tmp_path) == {"faults": {"kill": 2}, "committed_during": {"kill": [7, 7]}}
    assert figures.fencings(tmp_path) == {"POD1": 3, "POD2": 0}
    assert figures.growth(tmp_path) == {
        "POD2": {"rss": [34.5, 94.5], "threads": [4.0, 4.0], "connections": [7.0, 7.0], "files": [2.0, 2.0]}
    }


@pytest.mark.parametrize(("wakes_s", "lost"), [(20, 0), (35, 1), (70, 2)])
def test_lanes_that_others_lose_while_a_pod_is_paused_and_wakes_are_counted(
    tmp_path: Path, wakes_s: int, lost: int
) -> None:
    pause = {"kind": "pause", "what": "POD1", "from_ms": 10_000, "to_ms": wakes_s * 1000}
    (tmp_path / "faults.jsonl").write_text(json.dumps({**pause, "committed": 0}) + "\n")
    others = [("POD2", 7, 5 + (s >= 30), s) for s in range(60)] + [("POD2", 8, int(s >= 65), s) for s in range(60, 90)]
    woken = [("POD1", 9, s, s) for s in range(90)]
    (tmp_path / "members.jsonl").write_text(
        "".join(
            json.dumps({"pod": pod, "pid": pid, "fenced": fenced, "at_ms": s * 1000}) + "\n"
            for pod, pid, fenced, s in others + woken
        )
    )
    assert figures.lost_to_wakers(tmp_path) == [lost]
