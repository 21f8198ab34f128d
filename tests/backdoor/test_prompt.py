"""A prompt over a socket: what it runs, shows and reads, and what ends it."""

import builtins
import logging
import socket
import sys
from contextlib import suppress
from typing import Any

import pytest

from greening.sync.event import Event


def test_it_evaluates_and_executes(server: Any) -> None:
    names = {"number": 20}
    client = server(names)()
    assert client.ask("number + 1") == "21\n"
    assert client.ask("_ * 2") == "42\n"
    assert client.ask("None") == ""
    assert client.ask("other = [_ for _ in range(3)]") == ""
    assert names["other"] == [0, 1, 2]
    assert "_" not in names
    client.say("def double(x):")
    client.until(b"... ")
    client.say("    return 2 * x")
    client.until(b"... ")
    assert client.ask("") == ""
    assert client.ask("double(number)") == "40\n"


def test_connections_share_the_names_but_not_the_last_value(server: Any) -> None:
    opened = server({})
    first, second = opened(), opened()
    first.ask("shared = 1")
    first.ask("'mine'")
    second.ask("'yours'")
    assert second.ask("shared") == "1\n"
    assert first.ask("_") == "'mine'\n"
    second.ask("del shared")
    assert "NameError" in first.ask("shared")


def test_without_names_each_connection_has_its_own(server: Any) -> None:
    opened = server()
    first, second = opened(), opened()
    first.ask("private = 1")
    assert "NameError: name 'private' is not defined" in second.ask("private")


def test_a_display_does_not_take_the_name_that_gettext_uses(server: Any) -> None:
    assert not hasattr(builtins, "_")
    assert server()().ask("1") == "1\n"
    assert not hasattr(builtins, "_")


def test_tracebacks_begin_with_the_command_and_show_its_source(server: Any, capsys: Any) -> None:
    client = server()()
    client.say("def divide():")
    client.until(b"... ")
    client.say("    return 1 / 0")
    client.until(b"... ")
    client.ask("")
    told = client.ask("divide()")
    assert told.startswith('Traceback (most recent call last):\n  File "<backdoor-')
    assert "return 1 / 0" in told
    assert told.endswith("ZeroDivisionError: division by zero\n")
    assert "greening" not in told
    assert "SyntaxError" in client.ask("1 +")
    assert "KeyboardInterrupt" in client.ask("raise KeyboardInterrupt")
    assert client.ask("1") == "1\n"
    assert capsys.readouterr() == ("", "")


def test_the_hook_for_uncaught_exceptions_is_not_called(server: Any, monkeypatch: Any) -> None:
    called: list[Any] = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: called.append(error))
    client = server()()
    assert "ValueError" in client.ask("raise ValueError")
    assert "SyntaxError" in client.ask(")")
    assert called == []


@pytest.mark.parametrize("command", ["exit()", "quit()", "raise SystemExit", "(lambda: exit())()", "\x04"])
def test_leaving_ends_that_connection_only(server: Any, command: str) -> None:
    opened = server()
    first, second = opened(), opened()
    first.say(command)
    first.rest()
    assert second.ask("1") == "1\n"
    assert opened().ask("2") == "2\n"
    assert not sys.stdin.closed


def test_what_came_before_the_end_of_input_is_executed(server: Any) -> None:
    client = server()()
    client.say("1\n2")
    client.sock.sendall(b"3")
    client.sock.shutdown(socket.SHUT_WR)
    assert client.rest() == "1\n>>> 2\n>>> 3\n>>> \n"


def test_a_client_that_vanishes_ends_its_prompt_only(server: Any) -> None:
    go, printed = Event(), Event()
    opened = server({"go": go, "printed": printed})
    first, second = opened(), opened()
    first.say("go.wait(); [print('x' * 100000) for _ in range(100)]; printed.send()")
    second.ask("1")
    first.sock.close()
    second.ask("go.send()")
    assert second.ask("1") == "1\n"
    assert not printed.ready()


def test_a_command_that_waits_stops_no_other_prompt(server: Any) -> None:
    event = Event()
    opened = server({"event": event})
    first, second = opened(), opened()
    first.say("event.wait()")
    assert second.ask("event.send('sent')") == ""
    assert first.until() == "'sent'\n"


def test_commands_can_read(server: Any) -> None:
    client = server()()
    client.say("answer = input('question? ')")
    assert client.until(b"? ") == "question"
    assert client.ask("blue") == ""
    assert client.ask("answer") == "'blue'\n"


def test_the_interrupt_of_telnet_gives_up_a_half_typed_command(server: Any) -> None:
    client = server()()
    client.say("def f():")
    client.until(b"... ")
    client.sock.sendall(b"\xff\xf4\xff\xfd\x06\r\n")
    assert client.until() == "\nKeyboardInterrupt\n"
    client.sock.sendall(b"1\r\n")
    assert client.until() == "1\n"


def test_text_that_no_encoding_has_is_shown_all_the_same(server: Any) -> None:
    client = server()()
    assert client.ask("'\\ud800'") == "'\\ud800'\n"
    assert client.ask("print('\\ud800')") == "\\ud800\n"


FOREIGN = {
    "http": b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "http-after-an-empty-line": b"\r\nPOST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "ssdp": b"M-SEARCH * HTTP/1.1\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03random\x00\x23\x00\x50\n",
    "no-utf-8": b"\xc3\x28\n",
    "zeros": b"\0\0\0\n",
    "a-long-line": b"POST /" + b"a" * 10000 + b" HTTP/1.1\r\n\r\n",
    "later": b"1\r\n2\r\nGET / HTTP/1.1\r\n",
    "telnet-and-binary": b"\xff\xf4\x00\x01\n",
}


@pytest.mark.parametrize("sent", FOREIGN.values(), ids=FOREIGN)
def test_what_no_user_types_ends_the_connection_before_anything_after_it_runs(
    server: Any, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    names: dict[str, Any] = {}
    opened = server(names)
    client = opened()
    client.sock.sendall(sent + b"harm = 1\n")
    with suppress(ConnectionResetError):
        client.rest()
    assert "harm" not in names
    assert opened().ask("1") == "1\n"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_a_command_that_reads_cannot_keep_a_connection_that_was_cut_off(server: Any) -> None:
    names: dict[str, Any] = {}
    client = server(names)()
    client.say("try: input()\nexcept OSError: caught = 1\n")
    client.until(b"... ")
    client.until(b"... ")
    client.sock.sendall(b"GET / HTTP/1.1\r\nharm = 1\n")
    with suppress(ConnectionResetError):
        client.rest()
    assert names["caught"] == 1
    assert "harm" not in names


def test_the_names_of_a_prompt_can_be_listed_hidden_and_deleted(server: Any) -> None:
    names: dict[str, Any] = {"x": 1}
    client = server(names)()
    assert (
        client.ask("sorted(name for name in locals() if not name.startswith('__'))")
        == "['exit', 'quit', 'stacks', 'x']\n"
    )
    assert client.ask("len(locals()) == len(set(locals()))") == "True\n"
    assert client.ask("exit").startswith("Use exit()")
    client.ask("exit = 5")
    assert client.ask("exit") == "5\n"
    assert names["exit"] == 5
    client.ask("del exit")
    assert client.ask("exit").startswith("Use exit()")


def test_it_shows_the_stacks_of_green_threads_unless_a_name_of_the_programs_is_the_same(server: Any) -> None:
    client = server()()
    answer = client.ask("stacks()")
    assert "main greenlet: " in answer
    assert " old: running" in answer
    assert "stacks(locals=True)" in client.ask("stacks")
    assert server({"stacks": 5})().ask("stacks") == "5\n"
