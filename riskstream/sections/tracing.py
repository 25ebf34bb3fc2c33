"""The section `[tracing]`: where spans go, and of how many documents."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from riskstream.sections import Section


def _web(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("is no address of the web: begin it with https:// or http://")
    return text


class Tracing(Section):
    """Traces from a document to its signals to their alerts, sent as OTLP over HTTP; `riskstream[tracing]`."""

    endpoint: Annotated[str, AfterValidator(_web)] = ""
    """The collector's address for traces, such as `http://otel-collector:4318/v1/traces`. Empty: nothing is traced, and
    nothing is spent on it."""
    headers_file: Path | None = None
    """A file with the headers that the collector asks for, one a line: `name: value`."""
    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The share of documents that are traced among those that come without a trace of their own; one that has a
    `traceparent` follows what that says. Higher: more to look at, more work for both sides."""
    queue_max: Annotated[int, Field(ge=1, le=100_000)] = 4_096
    """Spans that wait to be sent, about 2 kB each; beyond it they are dropped."""
    timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    """How long one request to the collector may take, its repetitions included."""
