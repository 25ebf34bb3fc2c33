"""What is written from the code says what the code says, and says something about everything."""

from __future__ import annotations

import json
import re
import sys
import tomllib

import pytest

from dev.references import REFERENCES, ROOT, commands_page, records_page, settings_page
from riskstream.settings import ENV_PREFIX, Settings
from riskstream.telemetry import Metrics
from riskstream.telemetry.series import SERIES


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_is_what_the_code_says(name: str) -> None:
    if name == "docs/licences.md" and sys.platform != "linux":
        pytest.skip("the list is of what the images install, and they are Linux")
    assert (ROOT / name).read_text(encoding="utf-8") == REFERENCES[name](), "run `make docs`"


def test_the_settings_file_is_one_that_can_be_read() -> None:
    settings = Settings(**tomllib.loads(REFERENCES["config/riskstream.toml"]()))
    assert [feed.name for feed in settings.feed] == ["news", "social"]


def test_every_setting_says_what_it_is_and_what_sets_it() -> None:
    parts = re.split(r"^### `(.+)`$", settings_page.text(), flags=re.MULTILINE)[1:]
    told = dict(zip(parts[::2], parts[1::2], strict=True))
    assert len(told) >= 100
    for name, text in told.items():
        says, facts = (line for line in text.split("##")[0].strip().split("\n\n"))
        assert len(says) >= 12, f"{name} says nothing of itself"
        assert "default" in facts or "must be given" in facts
        variable = f"`{ENV_PREFIX}{name.replace('.', '__').upper()}`"
        assert (variable in facts) == (not name.startswith(("feed.", "sink."))), name


def test_a_unit_is_read_from_the_name() -> None:
    text = settings_page.text()
    assert "integer, milliseconds, at least 6000 · default `15000` · `RISKSTREAM_KAFKA__SESSION_TIMEOUT_MS`" in text
    assert "number, a second, above 0, at most 10000 · default `50.0`" in text


def test_every_command_and_option_says_what_it_is_for() -> None:
    text = commands_page.text()
    assert len(re.findall(r"^## `riskstream ", text, re.MULTILINE)) >= 18
    assert re.findall(r"^\| `(-.*)` \| .* \|  \|$", text, re.MULTILINE) == []


def test_every_field_of_a_record_says_what_it_is() -> None:
    schemas = [
        json.loads((records_page.SCHEMAS / f"{name}.json").read_text("utf-8")) for name, *_ in records_page.PARTS
    ]
    fields = [field for schema in schemas for field in records_page.fields(schema)]
    assert len(fields) >= 110
    assert [path for path, kind, says in fields if not kind or len(says) < 5] == []


def test_a_daemon_shows_every_series_as_it_is_described() -> None:
    families = {
        family.name + ("_total" if family.type == "counter" else ""): (family.type, family.documentation)
        for family in Metrics().registry.collect()
        if family.name.startswith("riskstream_")
    }
    assert families == {f"riskstream_{name}": (series.kind, series.says) for name, series in SERIES.items()}
    assert all(series.advice and not series.says.endswith(".") for series in SERIES.values())
