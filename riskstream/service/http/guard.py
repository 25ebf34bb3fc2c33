"""Who may ask `/v1/…`, and how often.

    Authorization: Bearer … ─► Callers.who ─► its own allowance ─► None: go on
                                 └─► the strangers' allowance ─► 401
                                                   └─► 429, Retry-After

Rule 1. Who asks is told by the token alone. Peer addresses and forwarded headers are never read.
Rule 2. Each token has an allowance of its own, so one program that runs wild takes nothing from the others.
        With `http.open` everybody is one caller.
Rule 3. All who bring no token of ours share one allowance more, and lose their connection where it is used up. That
        bounds what guessing costs us; a caller with a token never waits behind it. What makes guessing hopeless is the
        token's length.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from aiohttp import web

from riskstream.core.asking.allowance import take, whole
from riskstream.core.asking.callers import Callers
from riskstream.service.http.answers import refused

_EVERYBODY = ""


class Guard:
    """Decides about requests of one port. Without callers and not open, nobody may ask."""

    def __init__(
        self,
        callers: Callers | None,
        *,
        is_open: bool,
        requests_per_s_max: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._callers, self._is_open = callers, is_open
        self._per_s, self._now_s = requests_per_s_max, now_s
        names = (_EVERYBODY,) if callers is None else callers.names
        self._left = {name: whole(requests_per_s_max, now_s()) for name in names}
        self._strangers = whole(requests_per_s_max, now_s())

    def refusal(self, request: web.Request) -> web.Response | None:
        """Why this request is not answered; None: it is."""
        caller: str | None = _EVERYBODY
        if self._callers is not None:
            scheme, _, given = request.headers.get("Authorization", "").partition(" ")
            caller = self._callers.who(given.strip()) if scheme.lower() == "bearer" else None
        elif not self._is_open:
            return refused(403, "closed", "the API is closed: set http.token_file, or http.open = true")
        if caller is None:
            return self._stranger()
        self._left[caller], wait_s = take(self._left[caller], self._per_s, self._now_s())
        return self._too_many("requests", wait_s) if wait_s else None

    def _stranger(self) -> web.Response:
        self._strangers, wait_s = take(self._strangers, self._per_s, self._now_s())
        if wait_s:
            answer = self._too_many("requests without a token of ours", wait_s)
            answer.force_close()
            return answer
        detail = "send `Authorization: Bearer <token>` with a token of http.token_file"
        return refused(401, "unauthorized", detail, WWW_Authenticate='Bearer realm="riskstream"')

    def _too_many(self, what: str, wait_s: float) -> web.Response:
        detail = f"more than http.requests_per_s_max = {self._per_s:g} {what} a second"
        return refused(429, "too_many_requests", detail, Retry_After=str(math.ceil(wait_s)))
