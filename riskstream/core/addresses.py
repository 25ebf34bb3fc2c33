"""Addresses as they are shown: what stands before the @ of one is a secret."""

from __future__ import annotations

import re

_CREDENTIALS = re.compile(r"://[^/\s?#]*@")


def without_credentials(text: str) -> str:
    """`https://desk:pa55@host/x` as `https://…@host/x`, wherever such stand in a text."""
    return _CREDENTIALS.sub("://…@", text) if "://" in text else text
