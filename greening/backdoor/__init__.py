"""A Python prompt inside a running process, over a socket: look at it, call its functions, change it.

    greening.spawn(backdoor_server, greening.listen(("127.0.0.1", 3000)), {"app": app})

    $ python -m greening.backdoor 127.0.0.1:3000
    token:
    >>> app.sessions

That client has line editing and a history; nc and telnet do, too. The token is in the log of the process, unless it was
given to `backdoor_server`. A Unix socket asks for none: the client's user has to be that of the process, or root. With
`same_user=True` that holds on TCP, too.

    greening.spawn(backdoor_server, greening.listen("/run/app/prompt", socket.AF_UNIX), {"app": app})

    $ python -m greening.backdoor /run/app/prompt
    >>> app.sessions

Facts: a client that reaches the prompt owns the process. `sys.stdout`, `sys.stderr`, `sys.stdin` and `sys.displayhook`
belong to the whole process.
Decisions: entrance.py says which clients come in; anything but loopback and Unix sockets must be asked for besides.
While there are prompts, those four are stand-ins that ask which green thread wants them: a prompt's own gets its
connection, all others get what was there before.
Consequence: what a command prints in green threads or OS threads that it starts is not the prompt's.
"""

from greening.backdoor.server import backdoor, backdoor_server

__all__ = ["backdoor", "backdoor_server"]
