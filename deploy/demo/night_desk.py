"""Where pages ask for the night: how far it is, and to start one, which only the shop's own pages may."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from deploy.demo.answers import OwnPages, answer_json
from deploy.demo.night import Night
from deploy.demo.past import Past


class NightDesk:
    """Shows and starts the night.

    Args:
        night: what is shown and started.
        past: what a first night learns from; pages wait until it is told.
        own: tells the shop's own pages.
    """

    def __init__(self, night: Night, past: Past, own: OwnPages) -> None:
        self._night = night
        self._past = past
        self._own = own

    async def close(self) -> None:
        """Ends a night that runs."""
        await self._night.close()

    async def show(self, _: Request) -> Response:
        """Gives how the night goes, or why there can be none here."""
        return answer_json(await self._view())

    async def start(self, request: Request) -> Response:
        """Starts a night: 202; 409 while one runs, 503 with the cure where something is missing."""
        refused = self._own.refuse_others(request)
        if refused is not None:
            return refused
        need = await self._night.available()
        if need is not None:
            return answer_json({"error": need.name, "detail": need.cure}, HTTPStatus.SERVICE_UNAVAILABLE)
        if not self._night.start():
            return answer_json({"error": "running"}, HTTPStatus.CONFLICT)
        return answer_json(await self._view(), HTTPStatus.ACCEPTED)

    async def _view(self) -> dict[str, object]:
        need = await self._night.available()
        return {
            "available": need is None,
            "needs": need.name if need else None,
            "why_not": need.cure if need else None,
            "past": self._past.progress(),
            **msgspec.to_builtins(self._night.seen),
        }
