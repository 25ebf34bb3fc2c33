"""`GET /v1/alerts` and `GET /v1/entities/{id}`: alerts, and the picture of an entity, for programs and dashboards.

A query is read strictly: a parameter that is not known, or does not fit, is refused with its name, because a filter
that is silently left out answers with alerts that nobody asked for.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from riskstream.core.asking.pages import PAGE_MAX, Wanted, page, read_cursor
from riskstream.service.http.answers import Entity, refused, told
from riskstream.service.stages.board import Board
from riskstream.service.stages.states import Pictures


class Reading:
    """Answers from the board of the serve stage; without one, every answer says who has it."""

    def __init__(self, board: Board | None) -> None:
        self._board = board
        self.pictures: Pictures | None = None

    async def get_alerts(self, request: web.Request) -> web.Response:
        """A page of the alerts that are asked for."""
        if self._board is None:
            return _no_board()
        query = request.query
        if repeated := sorted(name for name in set(query) if len(query.getall(name)) > 1):
            return refused(400, "bad_request", f"{repeated[0]} is given twice")
        try:
            wanted = msgspec.convert(dict(query), Wanted, strict=False)
        except msgspec.ValidationError as error:
            return refused(400, "bad_request", f"{error}; there are {', '.join(Wanted.__struct_fields__)}")
        if not 1 <= wanted.limit <= PAGE_MAX:
            return refused(400, "bad_request", f"limit = {query['limit']!r}: use a number from 1 to {PAGE_MAX}")
        after = read_cursor(wanted.cursor)
        if wanted.cursor and after is None:
            return refused(400, "bad_request", f"cursor = {wanted.cursor!r}: use the `next` of a page, or none")
        return told(page(self._board.all(), wanted, after))

    async def get_entity(self, request: web.Request) -> web.Response:
        """The alerts of one entity, and its picture where that is kept."""
        if self._board is None:
            return _no_board()
        entity = request.match_info["id"]
        alerts = self._board.for_entity(entity)
        now_open = [alert for alert in alerts if alert.state != "resolved"]
        resolved = [alert for alert in alerts if alert.state == "resolved"]
        picture, whole = (None, False) if self.pictures is None else await self.pictures.of(entity)
        return told(Entity(entity, now_open[:PAGE_MAX], resolved[:PAGE_MAX], picture, whole))


def _no_board() -> web.Response:
    return refused(404, "no_alerts", "this process does not run the serve stage: ask one that does")
