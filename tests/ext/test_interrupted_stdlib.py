"""Clients of the standard library whose exchanges are interrupted. See test_interrupted.py for random moments."""

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]

SILENT = """
import greening, socket
greening.monkey_patch()
from tests.ext import stubs

def silent(sock, _):  # greets, and answers the first question when the client has given up
    sock.sendall(GREETING)
    with sock.makefile("rb") as questions:
        for question in questions:
            greening.sleep(0.05)
            sock.sendall(b"+OK 250 " + question)

def refused(ask, *errors):
    with greening.Timeout(0.02, False):
        ask(1)
        raise SystemExit("no Timeout")
    greening.sleep(0.06)  # the answer is there
    try:
        answer = ask(2)
    except errors as error:
        return
    raise SystemExit(f"the second question got {answer!r}")
"""

CLIENTS = {
    "smtplib": """
GREETING = b"220 hello\\r\\n"
import smtplib
port = stubs.start(silent)
smtp = smtplib.SMTP("127.0.0.1", port)
refused(lambda tag: smtp.docmd("VRFY", str(tag)), smtplib.SMTPServerDisconnected)
smtp.connect("127.0.0.1", port)
assert smtp.docmd("VRFY", "3")
""",
    "ftplib": """
GREETING = b"220 hello\\r\\n"
import ftplib
port = stubs.start(silent)
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", port)
refused(lambda tag: ftp.sendcmd(f"SITE {tag}"), ConnectionAbortedError)
ftp.connect("127.0.0.1", port)
""",
    "poplib": """
GREETING = b"+OK hello\\r\\n"
import poplib
pop = poplib.POP3("127.0.0.1", stubs.start(silent))
refused(pop.dele, ConnectionAbortedError)
""",
    "imaplib": """
GREETING = b"* OK hello\\r\\n"
import imaplib
port = stubs.start(stubs.imap)
imap = imaplib.IMAP4("127.0.0.1", port)
imap.login("user", "password")
imap.select()
thread = greening.spawn(imap.search, None, "UID", "1")
thread.quiet = True
greening.sleep(0)  # it waits for the answer
thread.kill()
try:
    raise SystemExit(imap.search(None, "UID", "2"))
except imap.abort:
    pass
""",
    "the greeting of smtplib": """
GREETING = b""
import smtplib
port = stubs.start(silent)
smtp = smtplib.SMTP()
with greening.Timeout(0.01, False):
    smtp.connect("127.0.0.1", port)
assert smtp.sock is None
""",
    "a socket that is none": """
import smtplib
from unittest import mock
with mock.patch("socket.create_connection") as create:
    create.return_value.makefile.return_value.readline.return_value = b"220 hello\\r\\n"
    assert smtplib.SMTP().connect("host", 25) == (220, b"hello")
""",
}


@pytest.mark.parametrize("name", CLIENTS)
def test_a_late_answer_is_nobodys(name: str, run_program: Run) -> None:
    run_program(SILENT + CLIENTS[name])


def test_an_interrupted_transfer_of_ftp_does_not_answer_the_next_command(run_program: Run) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
import ftplib, socket
data = socket.create_server(("127.0.0.1", 0))
ended = greening.Event()

def serve(sock, _):
    sock.sendall(b"220 hello\\r\\n")
    with sock.makefile("rb") as commands:
        for command in commands:
            word = command.split()[0]
            if word == b"PASV":
                high, low = divmod(data.getsockname()[1], 256)
                sock.sendall(b"227 (127,0,0,1,%d,%d)\\r\\n" % (high, low))
            elif word == b"RETR":
                transfer, _ = data.accept()
                sock.sendall(b"150 begins\\r\\n")
                ended.wait()
                transfer.close()
                sock.sendall(b"226 has ended\\r\\n")
            else:
                sock.sendall(b"200 " + command)

listener = socket.create_server(("127.0.0.1", 0))
greening.spawn(greening.serve, listener, serve)
ftp = ftplib.FTP()
ftp.connect(*listener.getsockname())
with greening.Timeout(0.02, False):
    ftp.retrbinary("RETR file", print)
ended.send(None)
try:
    raise SystemExit(ftp.sendcmd("NOOP"))
except ConnectionAbortedError as error:
    assert "a Timeout of 0.02 seconds" in str(error), error
"""
    )


def test_a_proxy_of_a_manager_asks_anew(run_program: Run) -> None:
    run_program(
        """
import greening
greening.monkey_patch()
from multiprocessing.managers import BaseManager

class Slow:
    def echo(self, number):
        greening.sleep(0.05)
        return number

BaseManager.register("Slow", Slow)
server = BaseManager(("127.0.0.1", 0), b"key").get_server()
greening.spawn(server.serve_forever)
greening.sleep(0.01)
manager = BaseManager(server.address, b"key")
manager.connect()
slow = manager.Slow()
assert slow.echo(1) == 1
with greening.Timeout(0.02, False):
    slow.echo(2)
assert slow.echo(3) == 3
"""
    )


def test_what_is_unpatched_is_as_it_was(run_program: Run) -> None:
    run_program(
        """
import ftplib, imaplib, multiprocessing.managers, poplib, smtplib
owners = ftplib.FTP, imaplib.IMAP4, multiprocessing.managers.BaseProxy, poplib.POP3, smtplib.SMTP, smtplib.LMTP
before = [dict(vars(owner)) for owner in owners]
import greening
greening.monkey_patch()
assert all(dict(vars(owner)) != members for owner, members in zip(owners, before))
greening.unpatch()
assert [dict(vars(owner)) for owner in owners] == before
"""
    )
