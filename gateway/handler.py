"""What answers a route, whichever file it stands in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from starlette.types import Receive, Scope, Send

from gateway.answers import Headers
from gateway.body import RequestHeaders

Handler = Callable[[Scope, Receive, Send, RequestHeaders, Headers], Awaitable[None]]


class Desk(Protocol):
    """Answers paths that end in an id, or go on behind one."""

    def at(self, scope: Scope) -> Mapping[str, Handler] | None:
        """Gives the methods of a path, None where it is none of these."""
        ...

    def below(self) -> Mapping[str, Sequence[str]]:
        """Gives the methods of each path, with the id's name in braces for any id."""
        ...
