"""The section of a sink, `[[sink]]`: where the serve stage sends alerts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from riskstream.sections import Section


class Sink(Section):
    """Where the serve stage sends alerts, beside their topic. A sink that fails delays nothing but itself."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    """Its name in metrics and lines, and in a webhook's group, `<app>.sink-<name>`: another name begins anew."""
    kind: Literal["alertmanager", "webhook"]
    """`alertmanager`: API v2, told until an alert is over, by every pod. `webhook`: each record posted, by one pod."""
    url: str = ""
    """Alertmanager's root, or the address that records are posted to."""
    url_file: Path | None = None
    """A file with the address, where that is itself a secret; instead of `url`."""
    token_file: Path | None = None
    """A file with a bearer token, sent as `Authorization`."""
    secret_file: Path | None = None
    """A file with the secret (`whsec_…`) that a webhook's requests are signed with."""
    severity_min: Literal["watch", "material", "severe"] = "watch"
    """Lesser alerts are not sent. A webhook hears of every alert that ends or is lowered, so that none stays open."""
    rules: tuple[str, ...] = ()
    """Only alerts of these rules; empty: of all."""
    timeout_ms: Annotated[int, Field(ge=100, le=60_000)] = 5_000
    """How long one request may take."""
    resend_s: Annotated[int, Field(ge=5, le=3_600)] = 60
    """How often Alertmanager is told again. After four times as long without us it takes an alert for over."""
    give_up_s: Annotated[int, Field(ge=1, le=86_400)] = 3_600
    """How long a webhook's record is tried before it is counted and passed over. Longer: an outage of theirs loses
    less, and later records of the same partition wait behind it."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.url) == bool(self.url_file):
            raise ValueError("a sink has either url or url_file")
        if self.secret_file and self.kind != "webhook":
            raise ValueError("secret_file is for a webhook; an Alertmanager takes a token_file")
        return self
