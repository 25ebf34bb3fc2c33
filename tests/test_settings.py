"""Settings: where they come from, and that a wrong one is told with its name, its value and the fix."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from riskstream.concealed import read_secret
from riskstream.core.errors import OperatorError
from riskstream.settings import Settings, load


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[kafka]\nsesion_timeout_ms = 1", ["kafka.sesion_timeout_ms", "unknown setting", "remove it"]),
        ("speed = 1", ["speed = 1", "unknown setting"]),
        ("[kafka]\ntransaction_calls_ms = 'soon'", ["kafka.transaction_calls_ms", "'soon'", "integer"]),
        ("[kafka]\nsession_timeout_ms = 9000", ["transaction_timeout_ms = 10000", "session_timeout_ms = 9000"]),
        ("[batching]\nlatency_ms = 10000", ["batching.latency_ms = 10000", "stages.drain_ms = 10000"]),
        ("[stages]\ndrain_ms = 30000", ["stages.drain_ms = 30000", "kafka.rebalance_timeout_ms = 20000"]),
        ("[watchdogs]\nloop_blocked_s = 9", ["kafka.session_timeout_ms = 15000", "watchdogs.loop_blocked_s = 9"]),
        ("app = 'a.b'", ["app = 'a.b'", "without dots"]),
        ("[[feed]]\nname = 'a'", ["feed.0.topic", "required"]),
        ("[[feed]]\nname='a'\ntopic='x'\n[[feed]]\nname='a'\ntopic='y'", ["two [[feed]]", "name 'a'"]),
        ("[[feed]]\nname='a'\ntopic='x'\n[[feed]]\nname='b'\ntopic='x'", ["topic 'x' is named twice"]),
        ("[topics]\nsignals = 'riskstream.alerts'", ["topic 'riskstream.alerts' is named twice"]),
        ("[topics]\nsignals = 'bad topic'", ["topics.signals = 'bad topic'"]),
        ("[kafka]\nbootstrap_servers = 'broker'", ["kafka.bootstrap_servers", "'broker' is not host:port"]),
        ("[kafka]\nbootstrap_servers = 'a:1,b:bar'", ["'b:bar' is not host:port"]),
        ("[kafka]\nsecurity_protocol = 'SASL_SSL'", ["sasl_username and sasl_password_file"]),
        ("[dead_letters]\nbytes_max = 1000000", ["dead_letters.bytes_max", "kafka.message_bytes_max"]),
        ("[models]\ndevice = 'gpu'", ["models.device = 'gpu'", "'cuda'"]),
        ("x = [", ["--config", "not TOML"]),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, told: list[str]) -> None:
    file = tmp_path / "riskstream.toml"
    file.write_text(text)
    with pytest.raises(OperatorError) as error:
        load(file)
    for part in told:
        assert part in str(error.value)


def test_the_environment_stands_above_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "riskstream.toml"
    file.write_text("[kafka]\nbootstrap_servers = 'file:9092'\nsession_timeout_ms = 17000")
    monkeypatch.setenv("RISKSTREAM_KAFKA__BOOTSTRAP_SERVERS", "environment:9092")
    kafka = load(file).kafka
    assert (kafka.bootstrap_servers, kafka.session_timeout_ms) == ("environment:9092", 17_000)


def test_a_wrong_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RISKSTREAM_KAFKA__SESSION_TIMEOUT_MS", "soon")
    with pytest.raises(OperatorError, match="the environment variable RISKSTREAM_KAFKA__SESSION_TIMEOUT_MS"):
        load(None)


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("RISKSTREAM_KAFKAA__LINGER_MS", "RISKSTREAM_KAFKAA__LINGER_MS"),
        ("RISKSTREAM_KAFKA__NOPE", "kafka.nope"),
        ("RISKSTREAM_KAFKA", "RISKSTREAM_<SECTION>__<KEY>"),
    ],
)
def test_a_variable_that_names_no_setting_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "x")
    with pytest.raises(OperatorError, match=re.escape(told)):
        load(None)


def test_the_addresses_that_a_cluster_puts_into_the_environment_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RISKSTREAM_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("RISKSTREAM_PORT_8321_TCP_ADDR", "10.0.0.1")
    assert load(None) == Settings()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.toml.*cannot be read"):
        load(tmp_path / "none.toml")


def test_a_secret_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("pa55word\n")
    assert read_secret("http.token_file", file) == "pa55word"
    file.write_text("\n")
    with pytest.raises(OperatorError, match=r"http\.token_file.*empty"):
        read_secret("http.token_file", file)
    with pytest.raises(OperatorError, match=r"http\.token_file.*cannot be read"):
        read_secret("http.token_file", tmp_path / "none")


def test_a_value_without_end_is_cut_in_its_error() -> None:
    text = str(OperatorError("key", "a" * 1_000_000, "is long", "shorten it"))
    assert len(text) < 1_100
    assert text.endswith("…: is long. Fix: shorten it.")
