"""What the likeliest mistakes are told: which object, where it is, and the remedy.

All of it runs when something is wrong already, or once for a server: it costs nothing where nothing is wrong.
"""

from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL
from functools import partial
from types import CodeType, CoroutineType, MethodType
from typing import Any

# The most characters of a wrong argument that a message repeats.
_SHOWN = 80

_CO_COROUTINE = 0x80  # inspect.CO_COROUTINE; `inspect` takes as long to import as all of greening


def code_of(function: Any) -> CodeType | None:
    """The code that a call of `function` runs: of a function, a method, a partial, an object with `__call__`."""
    while isinstance(function, (partial, MethodType)):
        function = function.func if isinstance(function, partial) else function.__func__
    code = getattr(function, "__code__", None)
    if code is None and not isinstance(function, type):
        code = getattr(type(function).__call__, "__code__", None) if callable(function) else None
    return code if isinstance(code, CodeType) else None


def described(function: Any) -> str:
    """The function by name and place: "fetch (crawler.py:12)"."""
    code = code_of(function)
    name = getattr(function, "__qualname__", None) or (code.co_qualname if code is not None else repr(function))
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"


def is_async(function: Any) -> bool:
    """True for an `async def`: a call only makes a coroutine, and runs nothing of it."""
    code = code_of(function)
    return code is not None and bool(code.co_flags & _CO_COROUTINE)


def refuse_coroutine(function: Any, result: Any) -> None:
    """Call it when a call has returned a coroutine. What another function has made is let through.

    Raises:
        TypeError: `function` is an `async def`. Its coroutine is closed.
    """
    if is_async(function) and result.cr_code is code_of(function):
        result.close()
        raise TypeError(f"{described(function)} is an async function, and nothing of it has run. {_remedy(result)}")


def _remedy(coroutine: Any) -> str:
    call = f"{coroutine.__name__}(...)"
    return f"To run it: greening.aio.run({call}), or in a green thread spawn(greening.aio.run, {call})"


def not_callable(what: object, call: str = "spawn(") -> TypeError:
    """The error for what was given in place of a function.

    Args:
        what: a page that was fetched, say; only the beginning of a long one is shown.
        call: the beginning of the call that was made, up to the function.
    """
    if isinstance(what, CoroutineType):
        what.close()  # or it would be said to be never awaited, too
        hint = f". {_remedy(what)}"
    else:
        hint = f": pass the function and its arguments, {call}f, x), not what it has returned, {call}f(x))"
    shown = repr(what)
    if len(shown) > _SHOWN:
        shown = f"{shown[:_SHOWN]}..."
    return TypeError(f"a callable is needed, not {shown}{hint}")


def check_mapped(function: object) -> None:
    """Raises TypeError if it is not what a map calls: the items were given first, say. None is let through."""
    if function is not None and not callable(function):
        raise TypeError(f"a callable is needed, not {function!r}: the function comes first, then its arguments")


def check_items(name: str, iterables: tuple[Any, ...]) -> None:
    """Raises TypeError if the map of that name was given nothing to iterate over."""
    if not iterables:
        raise TypeError(f"{name}() needs something to iterate over: pool.{name}(function, items)")


def check_name(name: object, call: str) -> None:
    """Raises TypeError if it is not the name of a module, but the module, say."""
    if not isinstance(name, str):
        raise TypeError(f"a module's name is needed, not {name!r}: {call}({getattr(name, '__name__', 'name')!r})")


def check_handler(handler: object, caller: str, called_with: str) -> None:
    """Refuse what a server cannot call, when it is made and not at the first request.

    Args:
        handler: what is called. caller: the server. called_with: the arguments, for people.
    Raises:
        TypeError: it is not callable, or is an `async def`.
    """
    if not callable(handler):
        raise TypeError(f"{caller} calls a function with {called_with}; {handler!r} is not callable")
    if is_async(handler):
        raise TypeError(
            f"{caller} calls a function with {called_with}, in a green thread; {described(handler)} is an async "
            "function, of which nothing would run: call coroutines in it by greening.aio.run()"
        )


def check_listener(sock: object, caller: str) -> None:
    """Raises TypeError if it is no socket that could listen."""
    if hasattr(sock, "accept") or hasattr(sock, "getsockname"):
        return
    remedy = "the socket comes first, then the function" if callable(sock) else _example("greening.listen", sock)
    raise TypeError(f"{caller} needs a listening socket, not {sock!r}: {remedy}")


def address_error(address: object, call: str, error: TypeError) -> TypeError:
    """The error for an address that the socket module has refused.

    Args:
        call: the function it was given to. error: what the socket module says.
    """
    return TypeError(f"an address is (host, port), not {address!r} ({error}): {_example(call, address)}")


def two_arguments(host: str, port: object, call: str) -> TypeError:
    """The error for `listen("", 8000)`: the port was taken for the family."""
    return TypeError(f"an address is one argument, (host, port): {_example(call, (host, port))}")


def listen_remedy(error: Exception) -> str:
    """What to do when no socket can listen at an address, as the end of a sentence. Empty: nothing can be said."""
    number = getattr(error, "errno", None)
    if number == EADDRINUSE:
        return ": another socket listens there; `ss -ltnp` names its process, and port 0 lets the system choose"
    if number == EACCES:
        return ": a port below 1024 needs root or CAP_NET_BIND_SERVICE, and a path the right to write there"
    if number == EADDRNOTAVAIL:
        return ": this machine does not have that address; '0.0.0.0' stands for all that it has"
    return ""


def _example(call: str, address: object) -> str:
    """The call as it was meant, as far as that can be seen."""
    host, port = "127.0.0.1", address
    if isinstance(address, str):
        if "/" in address:
            return f"for the path of a Unix socket, {call}({address!r}, socket.AF_UNIX)"
        name, _, port = address.rpartition(":")
        host = name.strip("[]") or host
    elif isinstance(address, (tuple, list)) and len(address) == 2:
        host, port = address if isinstance(address[0], (str, type(None))) else (address[1], address[0])
    try:
        number = int(port)  # type: ignore[call-overload]  # whatever was given
    except (TypeError, ValueError):
        number = 8000
    return f"{call}(({host or ''!r}, {number}))"


def looks_like_host_and_port(address: object) -> bool:
    """True for "127.0.0.1:8000", which is a relative path, too."""
    if not isinstance(address, str) or "/" in address:
        return False
    _, colon, port = address.rpartition(":")
    return bool(colon) and port.isdecimal()
