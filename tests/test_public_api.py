"""The names that users rely on exist at the top of greening, are listed, and say what they do."""

import inspect
import queue
import re
from importlib import import_module
from operator import attrgetter

import pytest

import greening

NAMES = """
    spawn spawn_n spawn_after spawn_after_local sleep getcurrent kill GreenThread GreenletExit
    GreenPool GreenPile Queue LightQueue LifoQueue PriorityQueue Event Semaphore BoundedSemaphore
    Lock RLock Condition local Timeout with_timeout connect listen serve StopServe wrap_ssl tpool
    import_patched monkey_patch unpatch is_monkey_patched original
    as_completed joinall wait nursery Cancelled KeyedSemaphore RateLimiter wait_read wait_write Empty Full ShutDown
""".split()

METHODS = {
    "GreenThread": "wait link unlink kill cancel",
    "GreenPool": "spawn spawn_n imap imap_unordered map starmap waitall kill running free waiting resize",
    "KeyedSemaphore": "acquire release locked",
    "RateLimiter": "acquire",
    "nursery": "spawn cancel",
    "GreenPile": "spawn next",
    "Queue": "put get put_nowait get_nowait qsize empty full putting getting resize task_done join shutdown",
    "LightQueue": "put get put_nowait get_nowait qsize empty full putting getting resize shutdown",
    "LifoQueue": "put get task_done join shutdown",
    "PriorityQueue": "put get task_done join shutdown",
    "Event": "wait send send_exception ready reset poll poll_result poll_exception has_result has_exception",
    "Semaphore": "acquire release locked bounded balance __enter__ __exit__",
    "BoundedSemaphore": "acquire release locked bounded balance __enter__ __exit__",
    "Lock": "acquire release locked __enter__ __exit__",
    "RLock": "acquire release __enter__ __exit__",
    "Condition": "acquire release wait wait_for notify notify_all __enter__ __exit__",
    "Timeout": "start cancel pending __enter__ __exit__",
    "tpool": "execute Proxy set_num_threads killall",
}

NOT_OURS = {"GreenletExit"}  # greenlet's own class, so that both names are one


@pytest.mark.parametrize("name", NAMES)
def test_public_name(name: str) -> None:
    assert name in greening.__all__
    assert name in dir(greening)
    assert documented(getattr(greening, name)) or name in NOT_OURS, f"greening.{name} has no docstring"


@pytest.mark.parametrize(("owner", "names"), METHODS.items())
def test_methods(owner: str, names: str) -> None:
    missing = [name for name in names.split() if not hasattr(getattr(greening, owner), name)]
    assert missing == []
    silent = [
        name
        for name in names.split()
        if not name.startswith("__") and not documented(getattr(getattr(greening, owner), name))
    ]
    assert silent == []


def test_every_listed_name_exists_and_is_documented() -> None:
    assert len(greening.__all__) == len(set(greening.__all__))
    listed = {name: getattr(greening, name) for name in greening.__all__ if not name.startswith("__")}
    assert [name for name, value in listed.items() if not documented(value) and name not in NOT_OURS] == []


def test_dir_shows_public_names_only() -> None:
    listed = {name for name in dir(greening) if not name.startswith("__")}
    packages = {name for name in listed if inspect.ismodule(getattr(greening, name))}
    assert listed - packages == set(greening.__all__) - packages
    assert packages == {"aio", "backdoor", "debug", "green", "testing", "tpool", "websocket", "wsgi"}


def test_help_begins_with_names_that_exist() -> None:
    text = inspect.getdoc(greening) or ""
    names = re.findall(r"^    (\w+(?:\.\w+)?)", text, re.MULTILINE)
    assert len(names) == 10
    assert [name for name in names if attrgetter(name)(greening) is None] == []


def test_the_exceptions_of_queues_are_those_that_queues_raise() -> None:
    channel = greening.Queue(1)
    channel.put(1)
    with pytest.raises(greening.Full):
        channel.put(2, block=False)
    channel.get()
    with pytest.raises(greening.Empty):
        channel.get(block=False)
    channel.shutdown()
    with pytest.raises(greening.ShutDown):
        channel.put(3)
    assert (greening.Empty, greening.Full) == (queue.Empty, queue.Full)
    assert getattr(queue, "ShutDown", greening.ShutDown) is greening.ShutDown


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = greening.no_such_name


def documented(value: object) -> bool:
    return bool((inspect.getdoc(value) or "").strip())


@pytest.mark.parametrize("package", ["wsgi", "websocket", "backdoor", "testing", "tpool"])
def test_every_name_that_a_package_lists_exists_and_is_documented(package: str) -> None:
    module = import_module(f"greening.{package}")
    assert documented(module)
    assert len(module.__all__) == len(set(module.__all__))
    texts = {name for name in module.__all__ if isinstance(getattr(module, name), str)}
    assert [name for name in module.__all__ if name not in texts and not documented(getattr(module, name))] == []
    assert [name for name in texts if f"`{name}`" not in (module.__doc__ or "")] == []
