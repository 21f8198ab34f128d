"""Where source uses eventlet."""

import pytest

from greening.compat.uses import Use, uses_of


def found(source: str) -> list[tuple[int, str, str]]:
    return [(use.line, use.name, use.kind) for use in uses_of(source, "x.py")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import eventlet", [(1, "eventlet", "import")]),
        ("import eventlet.wsgi as w", [(1, "eventlet.wsgi", "import")]),
        (
            "from eventlet.green import socket, os as o",
            [(1, "eventlet.green.os", "import"), (1, "eventlet.green.socket", "import")],
        ),
        ("from eventlet import *", [(1, "eventlet", "import")]),
        ("import __original_module_threading", [(1, "__original_module_threading", "import")]),
        ("import eventlets, os\nfrom .eventlet import x\nfrom my.eventlet import y", []),
    ],
)
def test_imports(source: str, expected: list[tuple[int, str, str]]) -> None:
    assert found(source) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("print(eventlet.green.socket)", [("eventlet.green.socket", "use")]),
        ("g(1, eventlet.sleep(0))", [("eventlet.sleep", "call")]),
        ("def f(x=eventlet.Timeout): pass", [("eventlet.Timeout", "use")]),
        ("def f(x) -> eventlet.Timeout: pass", [("eventlet.Timeout", "use")]),
        ("@eventlet.wrap\ndef f(): pass", [("eventlet.wrap", "use")]),
        ("f = lambda: eventlet.spawn(f)", [("eventlet.spawn", "call")]),
        ("try: pass\nexcept eventlet.Timeout: pass", [("eventlet.Timeout", "use")]),
        ("with eventlet.Timeout(1): eventlet.sleep()", [("eventlet.Timeout", "call"), ("eventlet.sleep", "call")]),
        (
            "class A:\n x = eventlet.GreenPool\n def f(self): eventlet.sleep()",
            [("eventlet.GreenPool", "use"), ("eventlet.sleep", "call")],
        ),
        (
            "class A(eventlet.Queue):\n def get(self): pass\n def mine(self): pass",
            [("eventlet.Queue", "subclass"), ("eventlet.Queue.get", "override"), ("eventlet.Queue.mine", "override")],
        ),
        ("eventlet.sleep.__doc__.upper()", [("eventlet.sleep.__doc__.upper", "call")]),
    ],
)
def test_uses(line: str, expected: list[tuple[str, str]]) -> None:
    assert [(name, kind) for _, name, kind in found(f"import eventlet\n{line}")][1:] == expected


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("from eventlet import greenpool as gp\ngp.GreenPool()", "eventlet.greenpool.GreenPool"),
        ("import eventlet\npatcher = eventlet.patcher\npatcher.original('os')", "eventlet.patcher.original"),
        ("import importlib\nhubs = importlib.import_module('eventlet.hubs')\nhubs.get_hub()", "eventlet.hubs.get_hub"),
        ("eventlet = try_import('eventlet')\neventlet.sleep()", "eventlet.sleep"),
        ("e = __import__('eventlet.wsgi')\ne.sleep()", "eventlet.sleep"),
        ("def f():\n import eventlet as e\n return e.sleep()", "eventlet.sleep"),
        ("import eventlet.wsgi\neventlet.listen()", "eventlet.listen"),
        ("class A:\n from eventlet import queue\n x = queue.Queue()", "eventlet.queue.Queue"),
    ],
)
def test_names_are_followed(source: str, name: str) -> None:
    assert name in {each for _, each, _ in found(source)}


@pytest.mark.parametrize(
    "source",
    [
        "from eventlet import queue\ndef f(queue): queue.get()",
        "from eventlet import queue\ndef f(*queue): queue.get()",
        "from eventlet import queue\nf = lambda queue: queue.get()",
        "from eventlet import queue\ndef f():\n queue = []\n queue.get()",
        "from eventlet import queue\ndef f():\n for queue in []: queue.get()",
        "from eventlet import queue\ndef f():\n import queue\n queue.get()",
    ],
)
def test_a_name_that_means_something_else_is_let_alone(source: str) -> None:
    assert found(source) == [(1, "eventlet.queue", "import")]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("@mock.patch('eventlet.green.os.listdir')\ndef f(): pass", ["eventlet.green.os.listdir"]),
        ("x = ['eventlet.wsgi', 'eventlet', 'an eventlet', 'eventlet.']", ["eventlet.wsgi"]),
        ("SocketIO(async_mode='eventlet')", ["eventlet"]),
        ("environ['eventlet.input']", ["eventlet.input"]),
        ("sys.modules['__original_module_threading']", ["__original_module_threading"]),
    ],
)
def test_strings(source: str, names: list[str]) -> None:
    assert [(name, kind) for _, name, kind in found(source)] == [(name, "string") for name in names]


def test_what_a_call_passes() -> None:
    source = "import eventlet\neventlet.spawn(f, 1, x=2)\neventlet.spawn(*a)\neventlet.spawn(f, **k)"
    calls = [use for use in uses_of(source, "x.py") if use.kind == "call"]
    assert calls == [
        Use(2, "eventlet.spawn", "call", 2, ("x",)),
        Use(3, "eventlet.spawn", "call", None, ()),
        Use(4, "eventlet.spawn", "call", None, ()),
    ]


def test_what_is_not_python_is_an_error() -> None:
    with pytest.raises(SyntaxError):
        uses_of("print 1", "x.py")
