"""The extra that greening.websocket needs."""

from typing import Any


def test_without_wsproto_the_extra_is_named(run_program: Any) -> None:
    done = run_program(
        "import sys\nsys.modules['wsproto'] = None\ntry:\n    import greening.websocket\n"
        "except ImportError as error:\n    print(error)\n"
    )
    assert "pip install greening-toolkit[websocket]" in done.stdout
