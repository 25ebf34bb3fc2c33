"""What the images are made of: every licence is allowed or judged, every pin has a hash, every base is named once."""

from __future__ import annotations

import re

import pytest

from dev import licences
from dev.references import ROOT


def found() -> dict[str, str]:
    """The licence of every package of both images."""
    return {name: licences.licence(name) for file in ("run", "cuda") for name in licences.packages(file)}


def test_every_licence_is_allowed_or_judged_and_every_judgement_is_needed() -> None:
    packages = found()
    assert len(packages) >= 40
    assert {"aiokafka", "openvino", "tokenizers"} <= packages.keys()
    assert list(licences.mistakes(packages)) == []


@pytest.mark.parametrize(
    ("package", "licence", "told"),
    [
        ("x", "GPL-3.0-or-later", "x: GPL-3.0-or-later"),
        ("x", "AGPL-3.0-only", "x: AGPL-3.0-only"),
        ("x", "MIT AND GPL-2.0-only", "x: GPL-2.0-only"),
        ("x", "none stated", "x: none stated"),
        ("x", "LGPL-2.1-or-later", "x: LGPL-2.1-or-later"),
        ("python-stdnum", "GPL-3.0-only", "python-stdnum: GPL-3.0-only"),
        ("tqdm", "MIT", "tqdm: the judgement of MPL-2.0 is not needed"),
    ],
)
def test_a_licence_that_nobody_judged_is_told(package: str, licence: str, told: str) -> None:
    mistakes = list(licences.mistakes({**found(), package: licence}))
    assert len(mistakes) >= 1
    assert any(mistake.startswith(told) for mistake in mistakes)


@pytest.mark.parametrize("file", ["bench", "cuda", "dev", "docs", "run", "supply"])
def test_every_pin_has_a_hash(file: str) -> None:
    text = (ROOT / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^[a-z][^\n]*==[^\n]*\n(?:    [^\n]*\n)*", text, re.MULTILINE)
    assert len(pins) >= 40
    assert [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin] == []


def test_both_images_stand_on_one_base_that_can_be_pinned() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = {name.lower() for name in re.findall(r" AS (\S+)$", text, re.MULTILINE)}
    bases = {base for base in re.findall(r"^FROM (\S+)", text, re.MULTILINE) if base not in stages}
    assert bases == {"${PYTHON_IMAGE}"}
    assert "PYC_INVALIDATION_MODE=UNCHECKED_HASH" in text
