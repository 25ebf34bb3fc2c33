"""The report in a real browser: it opens, its script runs, and nothing is in the console."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from riskstream.report.page import page
from tests.deploy.charts import tool
from tests.report.test_page import everything

pytestmark = pytest.mark.browser
_PROBE = """
<script>
const seen = [];
window.addEventListener("error", error => seen.push(String(error.message)));
for (const level of ["error", "warn"]) console[level] = text => seen.push(String(text));
window.addEventListener("load", () => {
  const box = document.querySelector("#find");
  box.value = "other";
  box.dispatchEvent(new Event("input"));
  const hidden = [...document.querySelectorAll("details")].filter(row => row.hidden).length;
  document.title = JSON.stringify({ seen, hidden, rows: document.querySelectorAll("details").length });
});
</script>
"""
"""Put before the page's own script, so that it hears what that one throws."""


@pytest.fixture(scope="module")
def chromium() -> str:
    """The browser's command."""
    return tool("chromium")


def opened(chromium: str, text: str, folder: Path) -> str:
    """The page's document after its scripts have run."""
    (folder / "page.html").write_text(text)
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=5000", "--dump-dom",
        (folder / "page.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=110, check=True, env=os.environ | {"HOME": str(folder)})
    return done.stdout.decode()


def said(document: str) -> str:
    """What the probe left in the title."""
    found = re.search(r"<title>(.*?)</title>", document)
    assert found is not None
    return found[1].replace("&quot;", '"')


def test_the_report_opens_without_an_error_and_its_filter_filters(chromium: str, tmp_path: Path) -> None:
    text = page(everything()).replace("<body>", f"<body>{_PROBE}")
    assert said(opened(chromium, text, tmp_path)) == '{"seen":[],"hidden":1,"rows":2}'


def test_the_probe_hears_a_script_that_fails(chromium: str, tmp_path: Path) -> None:
    text = page(everything()).replace("<body>", f"<body>{_PROBE}<script>nothing.there();</script>")
    assert "nothing is not defined" in said(opened(chromium, text, tmp_path))
