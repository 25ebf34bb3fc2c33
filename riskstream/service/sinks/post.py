"""One POST, and what came of it as a value: taken, refused for good, or to be tried again.

Rule 1. Redirects are not followed: an answer must not send alerts elsewhere.
Rule 2. An address may hold a secret, so it is in no line and no error; the sink's name is.
Rule 3. What is read of an answer is bounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import aiohttp
import msgspec

ANSWER_BYTES_MAX = 400
_AGAIN = frozenset({408, 425, 429, *range(500, 600)})


class Sent(msgspec.Struct, frozen=True):
    """How a POST ended. `again`: the same may be taken later. `wait_s`: what the answer asks for."""

    outcome: Literal["taken", "again", "refused"]
    detail: str = ""
    wait_s: float = 0.0


async def post(session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]) -> Sent:
    """Send once. Never raises for what the other side does."""
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            if 200 <= answer.status < 300:
                return Sent("taken")
            said = (await answer.content.read(ANSWER_BYTES_MAX)).decode(errors="replace").strip()
            detail = f"HTTP {answer.status} {said}".strip()
            if answer.status in _AGAIN:
                return Sent("again", detail, _seconds(answer.headers.get("Retry-After", "")))
            return Sent("refused", detail)
    except aiohttp.InvalidURL:
        return Sent("refused", "the address of this sink is no URL")
    except TimeoutError:
        return Sent("again", "no answer in time")
    except aiohttp.ClientError as error:
        return Sent("again", type(error).__name__)


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
