"""The connection in the environ, for those who speak another protocol on it: WebSocket."""

from collections.abc import Callable
from typing import Any

from greening.wsgi.body import Input


def offer(take: Callable[[], Any], environ: dict[str, Any], body: Input) -> None:
    """Put the connection where websocket libraries look for it. Whoever uses it there has taken it over.

    It is offered to a request only that asks for another protocol and behind whose head nothing has come: there is
    nothing to give back.
    """
    environ["greening.upgrade"] = take
    environ["werkzeug.socket"] = environ["gunicorn.socket"] = Offered(take)
    body.lend(take)


class Offered:
    """Stands for a connection's socket until somebody asks anything of it, and takes the connection over by that."""

    __slots__ = ("_take",)

    def __init__(self, take: Callable[[], Any]) -> None:
        self._take = take

    def __getattr__(self, name: str) -> Any:
        return getattr(self._take(), name)
