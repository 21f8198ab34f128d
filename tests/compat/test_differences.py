"""The table of differences tells the truth: about the alias, about the tests, in the guide, and about eventlet."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from greening.compat.differences import DIFFERENCES, MISSING
from greening.compat.verdicts import look_up

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDE = ROOT / "docs" / "migrating-from-eventlet.md"

# What eventlet's modules have for themselves, and no program among those that were counted uses.
INNER_PARTS = re.compile(
    r"""eventlet\.(
        _version(\..*)? | EventletDeprecationWarning
        | backdoor\.(FileProxy|SocketConsole)\b.*
        | debug\.format_(asyncio|threads)_info
        | green\.(MySQLdb|OpenSSL|builtin|thread|zmq)
        | greenio\.base\.(GreenSocket\.(fd|makeGreenFile)|SSL\b.*|_GLOBAL_DEFAULT_TIMEOUT|socket_\w+)
        | greenpool\.GreenMap\.done_spawning | greenthread\.GreenThread\.main
        | hubs\.\w+\.(Hub|BaseHub|DebugListener|FdListener|alarm_\w+|arm_alarm|noop)\b.*
        | patcher\.SysModulesSaver\b.* | queue\.(ItemWaiter|Waiter)\b.* | support\.wrap_deprecated
        | support\.greendns\..* | tpool\.(Proxy\.next|proxy_call|tpool_trampoline|tworker)
        | websocket\.RFC6455WebSocket\.(Message|UTF8Decoder)\b.*
        | wsgi\.(FileObjectForHeaders\b.*|HeaderLineTooLong|HeadersTooLarge|Server\.log_message)
        | wsgi\.(addr_to_host_port|socket_repr)
    )""",
    re.VERBOSE,
)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_about_a_name_that_is_there(name: str) -> None:
    assert look_up(name).name == name


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_not_there(name: str) -> None:
    with pytest.raises(LookupError):
        look_up(name)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_has_a_test(name: str) -> None:
    file, _, test = DIFFERENCES[name].test.partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)


def test_the_guide_says_what_the_checker_says() -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "docs_of_differences", "--check"], check=True)


def test_the_guide_has_every_difference() -> None:
    rows = set(re.findall(r"(?m)^\| `([\w.]+)` \|", GUIDE.read_text(encoding="utf-8")))
    assert rows >= DIFFERENCES.keys() | MISSING.keys()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The asyn")  # asyncore and asynchat
@pytest.mark.skipif(find_spec("eventlet") is None, reason="eventlet is missing")
def test_every_public_name_of_eventlet_is_there_or_is_said_to_be_missing() -> None:
    program = Path(__file__).with_name("names_of_eventlet.py")
    environment = {**os.environ, "EVENTLET_NO_GREENDNS": "yes"}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
    lacking = []
    for module, names in json.loads(done.stdout).items():
        for name in (module, *(f"{module}.{each}" for each in names)):
            try:
                look_up(name)
            except LookupError:
                lacking.append(name)
    unsaid = [name for name in lacking if not INNER_PARTS.fullmatch(name)]
    assert [name for name in unsaid if not any(name.startswith(missing) for missing in MISSING)] == []
