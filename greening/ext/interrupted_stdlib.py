"""Clients of the standard library that take a late answer for that of the next question, after an interruption.

Facts:
- smtplib, ftplib and poplib keep no state besides their connection. After a Timeout the answer to one command is taken
  for that of the next one, and so on for ever.
- imaplib tells answers apart by their tags, and not the data before them: a search finds what the one before was for.
- ftplib transfers files on a connection of its own. If that is interrupted, the end of the transfer is still to be
  announced on the first connection.
- The proxies of `multiprocessing.managers` have one connection for each thread, and read what comes next.
Decision: the connections are aborted (see `greening.exchange`), as those of other clients. The program connects anew,
or makes a new object; proxies do so by themselves. What is interrupted in the middle of `connect` is closed, since the
greeting is still to come.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from greening.ext.classes import Method, after_error, patch_methods
from greening.ext.interrupted import connecting
from greening.net.exchange import abort


def smtplib(module: ModuleType) -> None:
    """The plug-in of smtplib."""
    names = ("SMTP", "LMTP")
    connects = {name: connecting(_if_interrupted(getattr(module, name).connect, _close), "sock") for name in names}
    patch_methods(module, {name: {"connect": connect} for name, connect in connects.items()})


def ftplib(module: ModuleType) -> None:
    """The plug-in of ftplib: an interrupted transfer aborts the connection of the commands, too."""
    ftp: Any = module.FTP
    transfers = ("retrbinary", "retrlines", "storbinary", "storlines", "ntransfercmd")
    methods: dict[str, object] = {name: _if_interrupted(getattr(ftp, name), _abort) for name in transfers}
    methods["connect"] = connecting(_if_interrupted(ftp.connect, _close), "sock")
    patch_methods(module, {"FTP": methods})


def poplib(module: ModuleType) -> None:
    """The plug-in of poplib. Its objects connect when they are made."""
    patch_methods(module, {"POP3": {"__init__": connecting(module.POP3.__init__, "sock")}})


def imaplib(module: ModuleType) -> None:
    """The plug-in of imaplib."""
    patch_methods(module, {"IMAP4": {"open": connecting(module.IMAP4.open, "sock")}})


def managers(module: ModuleType) -> None:
    """The plug-in of multiprocessing.managers: a proxy that is interrupted drops its connection."""
    call: Method = module.BaseProxy._callmethod
    patch_methods(module, {"BaseProxy": {"_callmethod": _if_interrupted(call, _drop)}})


def _if_interrupted(method: Method, then: Callable[[Any, BaseException], object]) -> Method:
    """The method; `then` is called when a kill or a Timeout leaves it. An Exception is an answer to the client."""
    return after_error(method, then, unless=(Exception,))


def _close(client: Any, _: BaseException) -> None:
    client.close()


def _abort(client: Any, error: BaseException) -> None:
    if client.sock is not None:
        abort(client.sock, error)


def _drop(proxy: Any, _: BaseException) -> None:
    connection = proxy._tls.__dict__.pop("connection", None)  # of the thread that asked
    if connection is not None:
        connection.close()
