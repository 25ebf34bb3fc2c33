"""A sink as its parts use it: secrets read, units converted. A wrong one stops the start."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import msgspec

from riskstream.concealed import read_secret
from riskstream.core.contracts import SEVERITIES, Severity
from riskstream.core.errors import OperatorError
from riskstream.core.records import Alert
from riskstream.sections.sink import Sink

MARK = "whsec_"
"""How the standard marks a webhook's secret."""
SECRET_BYTES_MIN = 24


class Target(msgspec.Struct, frozen=True):
    """Where one sink's alerts go. `key` signs what a webhook is sent; empty: nothing is signed."""

    name: str
    url: str
    severity_min: Severity
    rules: frozenset[str]
    timeout_s: float
    resend_ms: int
    give_up_s: float
    key: bytes = b""
    authorization: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return f"Target(name={self.name!r}, …)"


def target(sink: Sink) -> Target:
    """The sink of a `[[sink]]` section. Raises OperatorError for a secret that cannot be read or is none."""
    thing = f"sink {sink.name!r}"
    url = read_secret(f"{thing}: url_file", sink.url_file) if sink.url_file else sink.url
    token = read_secret(f"{thing}: token_file", sink.token_file)
    if not (url or "").startswith(("http://", "https://")):
        raise OperatorError(f"{thing}: url", "…", "is no address of the web", "begin it with https:// or http://")
    return Target(
        name=sink.name,
        url=(url or "").rstrip("/"),
        severity_min=sink.severity_min,
        rules=frozenset(sink.rules),
        timeout_s=sink.timeout_ms / 1000,
        resend_ms=sink.resend_s * 1000,
        give_up_s=sink.give_up_s,
        key=_key(thing, read_secret(f"{thing}: secret_file", sink.secret_file)),
        authorization={"Authorization": f"Bearer {token}"} if token else {},
    )


def takes(target: Target, alert: Alert) -> bool:
    """Whether the sink wants this alert at the severity that it has."""
    enough = SEVERITIES.index(alert.severity) >= SEVERITIES.index(target.severity_min)
    return enough and (not target.rules or alert.rule in target.rules)


def _key(thing: str, secret: str | None) -> bytes:
    if secret is None:
        return b""
    try:
        key = base64.b64decode(secret.removeprefix(MARK), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(MARK) or len(key) < SECRET_BYTES_MIN:
        fix = f"write {MARK} and at least {SECRET_BYTES_MIN} random bytes in base64 into the file"
        raise OperatorError(f"{thing}: secret_file", "…", "holds no secret of a webhook", fix)
    return key
