"""Secrets come from files, and are … in whatever is said of this process: lines, errors, tracebacks.

    read_secret(file) ─► its content, remembered ─┐
    https://user:password@host ───────────────────┴─► conceal(text) ─► stderr

Rule 1. No message of ours is made of a secret. `conceal` stands behind that for what others say: a library that quotes
        its header, a receiver that answers with the token it was sent.
Rule 2. Shorter secrets than `CHARS_MIN` are not looked for: they are part of too many words.
"""

from __future__ import annotations

import json
from pathlib import Path

from riskstream.core.addresses import without_credentials
from riskstream.core.errors import OperatorError

CHARS_MIN = 6
BYTES_MAX = 1_048_576
_SECRETS: set[str] = set()
"""Of this process; there are as many as its settings name files."""


def read_secret(setting: str, file: Path | None) -> str | None:
    """The content of a secret's file without its line end. Raises OperatorError that never shows the secret."""
    if file is None:
        return None
    try:
        with file.open("rb") as opened:
            content = opened.read(BYTES_MAX + 1)
        secret = content.decode("utf-8").strip()
    except (OSError, ValueError) as error:
        problem = f"cannot be read: {type(error).__name__}"
        fix = "name a file that holds the secret, readable by this user"
        raise OperatorError(setting, _place(file), problem, fix) from None
    if len(content) > BYTES_MAX:
        raise OperatorError(setting, str(file), f"is larger than {BYTES_MAX} bytes", "name a file that holds a secret")
    if not secret:
        raise OperatorError(setting, str(file), "the file is empty", "write the secret into it")
    _remember(secret)
    return secret


def conceal(text: str) -> str:
    """The text with … in place of each secret that was read, and of what stands before the @ of an address."""
    for secret in sorted(_SECRETS, key=len, reverse=True):
        text = text.replace(secret, "…")
    return without_credentials(text)


def _remember(secret: str) -> None:
    """The whole, its lines, what follows a line's name or an address's host, and all of these as JSON and Python quote
    them."""
    lines = [line.strip() for line in secret.splitlines()]
    values = {secret, secret.rstrip("/"), *lines, *(line.partition(":")[2].strip() for line in lines)}
    values |= {line.partition("://")[2].partition("/")[2].rstrip("/") for line in lines}
    for value in values:
        if len(value) >= CHARS_MIN:
            _SECRETS.update((value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]))
            _SECRETS.add(repr(value)[1:-1])


def _place(file: Path) -> str:
    """A path; … for what may be the secret itself, given where its file should be."""
    return str(file) if file.is_absolute() or (len(file.parts) > 1 and file.parent.is_dir()) else "…"
