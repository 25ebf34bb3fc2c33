"""What is written from the code, and held equal to it by a test: settings, metrics, commands, rules, licences.

    make docs         # writes every file of REFERENCES that differs

Rule 1. A text about a setting, a series or an option stands once, beside it in the code. Rule 2. Nobody edits a file of
        REFERENCES by hand.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dev import licences, rules_schema
from dev.references import commands_page, metrics_page, records_page, settings_file, settings_page

ROOT = Path(__file__).resolve().parent.parent.parent

REFERENCES: dict[str, Callable[[], str]] = {
    "config/riskstream.toml": settings_file.text,
    "docs/configuration.md": settings_page.text,
    "docs/licences.md": licences.text,
    "docs/metrics.md": metrics_page.text,
    "docs/records.md": records_page.text,
    "docs/commands.md": commands_page.text,
    "riskstream/schemas/rules.json": rules_schema.text,
}
