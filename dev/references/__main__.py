"""Writes every reference that differs from the code, and names those that it wrote."""

from __future__ import annotations

from dev.references import REFERENCES, ROOT

for name, text in REFERENCES.items():
    file, now = ROOT / name, text()
    if not file.exists() or file.read_text(encoding="utf-8") != now:
        file.write_text(now, encoding="utf-8")
        print(f"{name}: written")
