"""Who may ask the HTTP API: the names and tokens of a file, one a line.

    desk:9f2c…      a token with a name, which is told in nothing but an error about this file
    41aa…           a bare one, called `line 2`

Rule 1. A token is compared in constant time with every one of the file: time tells neither which nor how much fits.
Rule 2. No token is ever part of an error.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from riskstream.core.errors import OperatorError

CALLERS_MAX = 1_000
_NAMED = re.compile(r"([A-Za-z0-9_.-]{1,64}):(.+)")
_SETTING = "http.token_file"


class Callers:
    """The callers of a token file, by the hashes of their tokens."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        self._digests = {name: _digest(token) for name, token in tokens.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the file."""
        return tuple(self._digests)

    def who(self, token: str) -> str | None:
        """The name of the caller with this token; None: nobody's."""
        given, found = _digest(token), None
        for name, digest in self._digests.items():
            if hmac.compare_digest(given, digest):
                found = name
        return found


def parse_callers(text: str) -> Callers:
    """The callers of a token file. Raises OperatorError for a file without any and for the first wrong line."""
    tokens: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        named = _NAMED.fullmatch(line.strip())
        name, token = (named[1], named[2].strip()) if named else (f"line {number}", line.strip())
        if name in tokens or token in tokens.values():
            what = f"the name {name!r}" if name in tokens else "the token"
            raise OperatorError(_SETTING, f"line {number}", f"{what} stands twice", "give each caller its own")
        if not token.isascii() or any(char.isspace() for char in token):
            raise OperatorError(
                _SETTING, f"line {number}", "is no token", "write ASCII without spaces, one token a line"
            )
        tokens[name] = token
    if not 1 <= len(tokens) <= CALLERS_MAX:
        problem = f"has {len(tokens)} tokens, and 1 to {CALLERS_MAX} are read" if tokens else "is empty"
        raise OperatorError(_SETTING, "", problem, "write a token a line into the file, or unset it")
    return Callers(tokens)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
