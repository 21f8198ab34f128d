"""`greening.tpool`: eventlet's names for native threads. What they do is tested in tests/threads."""

from typing import Any

import pytest

from greening import tpool
from greening._originals import get_ident
from greening.threads import native


def test_a_call_is_made_in_another_os_thread() -> None:
    assert tpool.execute(get_ident) != get_ident()
    assert tpool.execute(divmod, 7, 2) == (3, 1)


def test_its_names_are_those_of_eventlet() -> None:
    assert set(tpool.__all__) == {"Proxy", "execute", "killall", "set_num_threads", "setup"}
    assert {*tpool.__all__} <= set(dir(tpool))
    assert (tpool.execute, tpool.killall) == (native.execute, native.killall)


def test_setup_does_nothing_and_may_be_called() -> None:
    assert tpool.setup() is None  # type: ignore[func-returns-value]  # that is the point


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'greening.tpool' has no attribute 'Pool'"):
        _ = tpool.Pool


def test_a_proxy_runs_the_methods_of_an_object_in_another_os_thread() -> None:
    class Driver:
        def where(self) -> int:
            return get_ident()

    proxy: Any = tpool.Proxy(Driver())
    assert proxy.where() != get_ident()


def test_the_proxy_is_loaded_when_it_is_asked_for(run_program: Any) -> None:
    run_program(
        "import sys\n"
        "from greening import tpool\n"
        "assert 'wrapt' not in sys.modules and 'Proxy' in dir(tpool)\n"
        "first = tpool.Proxy\n"
        "assert 'wrapt' in sys.modules and tpool.Proxy is first\n"
    )
