"""A prompt over a socket."""

import builtins
import io
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from greening import tpool
from greening._core.greenthread import kill, spawn
from greening._core.waiting import sleep
from greening.backdoor import backdoor, backdoor_server
from greening.net.convenience import connect, listen
from greening.sync.event import Event
from greening.timeout import Timeout

ROOT = Path(__file__).resolve().parent.parent
FIRST = b">>> "


class Client:
    """A connection to a prompt. All that it waits for comes within seconds."""

    def __init__(self, address: Any, family: int = socket.AF_INET) -> None:
        self.sock = connect(address, family)
        self._bytes = b""

    def say(self, text: str) -> None:
        self.sock.sendall(text.encode() + b"\n")

    def until(self, mark: bytes = FIRST) -> str:
        """What came, without the mark that ends it."""
        with Timeout(20):
            while mark not in self._bytes:
                came = self.sock.recv(65536)
                assert came, self._bytes
                self._bytes += came
        before, _, self._bytes = self._bytes.partition(mark)
        return before.decode()

    def ask(self, text: str) -> str:
        """A command's answer. The prompt must be there."""
        self.say(text)
        return self.until()

    def rest(self) -> str:
        with Timeout(20):
            while came := self.sock.recv(65536):
                self._bytes += came
        return self._bytes.decode()


Connect = Callable[[], Client]


@pytest.fixture
def server() -> Iterator[Callable[..., Connect]]:
    """Starts a server; what it returns opens a connection and reads up to the first prompt."""
    listener = listen(("127.0.0.1", 0))
    threads: list[Any] = []
    clients: list[Client] = []

    def start(names: dict[str, Any] | None = None) -> Connect:
        threads.append(spawn(backdoor_server, listener, names))

        def open_() -> Client:
            clients.append(Client(listener.getsockname()))
            clients[-1].until()
            return clients[-1]

        return open_

    yield start
    for thread in threads:
        kill(thread)
    listener.close()  # one that nobody has served
    for client in clients:
        client.sock.close()
    with Timeout(20):
        while type(sys.stdin).__module__ == "greening.backdoor.streams":  # until the last prompt has seen that
            sleep(0)


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


def test_prints_go_to_their_own_connection_only(server: Any, capsys: Any) -> None:
    go, done = Event(), Event()

    def bystander() -> None:
        go.wait()
        print("from elsewhere")
        done.send()

    thread = spawn(bystander)
    opened = server({"go": go, "done": done})
    first, second = opened(), opened()
    assert first.ask("print('one'); go.send(); done.wait(); print('two')") == "one\ntwo\n"
    assert second.ask("import sys; print('three', file=sys.stderr)") == "three\n"
    print("from the test")
    thread.wait()
    assert capsys.readouterr() == ("from elsewhere\nfrom the test\n", "")


def test_the_standard_streams_are_given_back(server: Any) -> None:
    before = sys.stdin, sys.stdout, sys.stderr, sys.displayhook
    client = server()()
    kept = sys.stdout
    assert kept is not before[1]
    client.say("exit()")
    client.rest()
    assert (sys.stdin, sys.stdout, sys.stderr, sys.displayhook) == before
    with redirect_stdout(io.StringIO()) as text:
        print("x", file=sys.stdout)
    assert text.getvalue() == "x\n"
    kept.write("")  # who kept it meanwhile can go on


def test_a_stream_that_somebody_puts_in_place_meanwhile_stays(server: Any, monkeypatch: Any) -> None:
    client = server()()
    other = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", other)
        client.say("exit()")
        client.rest()
        assert sys.stdout is other
    sys.stdout = sys.stdout.real  # monkeypatch has put the stand-in back


def test_a_process_without_standard_streams_can_have_a_prompt(server: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    client = server()()
    assert client.ask("print('here')") == "here\n"
    print("nowhere")
    client.say("exit()")
    client.rest()
    assert sys.stdout is None


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


def test_a_command_that_waits_stops_nobody_else(server: Any) -> None:
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


def test_bytes_that_are_no_text_end_nothing(server: Any) -> None:
    client = server()()
    client.sock.sendall(b"\xc3\x28\n")
    assert "SyntaxError" in client.until()
    assert client.ask("'\\ud800'") == "'\\ud800'\n"
    assert client.ask("print('\\ud800')") == "\\ud800\n"


def test_a_request_of_a_browser_is_cut_off(server: Any, caplog: Any) -> None:
    names: dict[str, Any] = {}
    opened = server(names)
    client = opened()
    client.say("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nharm = 1\r")
    client.rest()
    assert "harm" not in names
    assert opened().ask("1") == "1\n"
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_listener_that_other_machines_reach_is_refused(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = listen((host, 0), family)
    except OSError:
        pytest.skip("no such addresses here")
    with listener:
        with pytest.raises(ValueError, match="allow_remote=True"):
            backdoor_server(listener)
        assert listener.fileno() >= 0
        thread = spawn(backdoor_server, listener, allow_remote=True)
        sleep(0)
        kill(thread)
        assert listener.fileno() < 0


def test_unix_sockets_and_ipv6_loopback_are_fine(tmp_path: Path) -> None:
    for address, family in ((str(tmp_path / "sock"), socket.AF_UNIX), (("::1", 0), socket.AF_INET6)):
        try:
            listener = listen(address, family)
        except OSError:
            continue  # a machine without IPv6
        thread = spawn(backdoor_server, listener)
        client = Client(listener.getsockname(), family)
        client.until()
        assert client.ask("1") == "1\n"
        client.say("exit()")
        client.rest()
        client.sock.close()
        kill(thread)


def test_a_connection_that_its_acceptor_closes_is_the_prompts() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        client = Client(listener.getsockname())
        connection, address = listener.accept()
        thread = backdoor((connection, address), {"x": 5})
        connection.close()
        client.until()
        assert client.ask("x") == "5\n"
        kill(thread)
        assert client.rest() == ""
        client.sock.close()


def test_a_server_that_is_killed_leaves_its_prompts_alone() -> None:
    with listen(("127.0.0.1", 0)) as listener:
        thread = spawn(backdoor_server, listener)
        client = Client(listener.getsockname())
        client.until()
        kill(thread)
        assert client.ask("1") == "1\n"
        client.say("exit()")
        client.rest()
        client.sock.close()


CLIENT = """
import os, pty, sys
import greening
greening.monkey_patch()
from greening.backdoor import backdoor_server

listener = greening.listen(("127.0.0.1", 0))
greening.spawn(backdoor_server, listener, {})
address = "127.0.0.1:%d" % listener.getsockname()[1]
client, terminal = pty.fork()
if client == 0:
    os.environ["TERM"] = "dumb"
    os.execv(sys.executable, [sys.executable, "-m", "greening.backdoor", address])

seen = b""


def until(mark):
    global seen
    while mark not in seen:
        seen += os.read(terminal, 1000)
    seen = seen.partition(mark)[2]


until(b">>> ")
os.write(terminal, b"6 * 7\\n")
until(b"42")
until(b">>> ")
os.write(terminal, b"name = input('who? ')\\n")
until(b"\\nwho? ")
os.write(terminal, b"Ann\\n")
until(b">>> ")
os.write(terminal, b"\\x10\\x10\\n")  # up, twice: the history has commands, not what they read
until(b"42")
until(b">>> ")
os.write(terminal, b"\\x04")
assert os.waitpid(client, 0)[1] == 0
assert open(os.path.expanduser("~/.greening_history")).read().splitlines()[-2:] == ["name = input('who? ')", "6 * 7"]
"""


@pytest.mark.slow
def test_the_client_has_a_history(run_program: Any, tmp_path: Path) -> None:
    pytest.importorskip("readline")
    try:
        for descriptor in os.openpty():
            os.close(descriptor)
    except OSError:
        pytest.skip("no pseudo-terminals here")
    run_program(CLIENT, env={"HOME": str(tmp_path)})


@pytest.mark.slow
def test_the_client_sends_what_is_piped_into_it(server: Any) -> None:
    address = server({"x": 41})().sock.getpeername()
    command = [sys.executable, "-m", "greening.backdoor", f"127.0.0.1:{address[1]}"]
    ran = tpool.execute(subprocess.run, command, input="x + 1\nprint('é')\n", capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ">>> 42\n>>> é\n>>> \n" in ran.stdout
    ran = tpool.execute(subprocess.run, [*command[:-1], "/nowhere"], capture_output=True, text=True, cwd=ROOT)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("/nowhere: ")
