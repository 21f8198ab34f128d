"""What a module would import, found out without importing it."""

import sys

import pytest

from greening.patcher.import_scan import Scanner, has_python_code, is_namespace, is_stdlib, parents_of


def test_facts(fakes) -> None:
    fakes.file("victims.__init__")
    fakes.file("victims.inner.__init__", """
        import os.path, time as clock
        from . import sibling
        from .. import uncle
        from ..other import name as alias
        from socket import *
        def late():
            class C:
                def method(self):
                    import json.decoder
                    return clock.sleep(1)
    """)  # fmt: skip
    facts = Scanner().facts("victims.inner")
    assert facts.imports == {
        "os.path",
        "time",
        "victims.inner",
        "victims.inner.sibling",
        "victims",
        "victims.uncle",
        "victims.other",
        "victims.other.name",
        "socket",
        "json.decoder",
    }
    assert {"sleep", "name", "*"} <= facts.names
    assert not {name for name in sys.modules if name.startswith("victims")}


def test_relative_imports_of_a_plain_module(fakes) -> None:
    fakes.file("victims.__init__")
    fakes.file("victims.plain", "from . import sibling\nfrom ... import beyond\n")
    assert Scanner().facts("victims.plain").imports == {"victims", "victims.sibling"}


@pytest.mark.parametrize("name", ["no_such_module", "math", "victim_broken"])
def test_modules_that_cannot_be_read_say_nothing(fakes, name) -> None:
    fakes.file("victim_broken", "def f(:\n")
    facts = Scanner().facts(name)
    assert facts.imports == facts.names == frozenset()


def test_reaches_goes_through_third_party_modules_only(fakes) -> None:
    fakes.file("victim_a", "import victim_b.deep, json\n")
    fakes.file("victim_b.__init__", "import victim_a\n")
    fakes.file("victim_b.deep", "def f():\n  import victim_c\n")
    fakes.file("victim_c", "import telegraph\n")
    scanner = Scanner()
    asked: list[str] = []

    def hit(facts) -> bool:
        asked.append("x")
        return "telegraph" in facts.imports

    assert scanner.reaches("victim_a", hit)
    assert not scanner.reaches("victim_a", lambda facts: "re" in facts.imports), "json imports re, but is not followed"


def test_units_and_namespaces(fakes) -> None:
    fakes.file("victim_space.pack.__init__")
    fakes.file("victim_space.pack.module")
    fakes.file("victim_space.single")
    scanner = Scanner()
    assert is_namespace(scanner.spec("victim_space"))
    assert not is_namespace(scanner.spec("victim_space.pack"))
    assert scanner.unit("victim_space.pack.module") == "victim_space.pack"
    assert scanner.unit("victim_space.single") == "victim_space.single"


def test_small_questions() -> None:
    assert list(parents_of("a.b.c")) == ["a", "a.b"]
    assert is_stdlib("urllib.request")
    assert not is_stdlib("pytest")
    scanner = Scanner()
    assert [has_python_code(scanner.spec(name)) for name in ("json", "sys", "_heapq")][:2] == [True, False]
