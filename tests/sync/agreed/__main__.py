"""Run every scenario with one library: python -m tests.sync.agreed eventlet|greening

Prints {name of the scenario: its outcome} as JSON.
"""

import json
import sys

from tests.sync.agreed import connections, dags, events, pools, queues, resources, semaphores, threads, timeouts
from tests.sync.agreed.library import library
from tests.sync.agreed.registry import SCENARIOS

ROOMS = (connections, dags, events, pools, queues, resources, semaphores, threads, timeouts)

# Seconds after which a scenario is given up, so that one that hangs does not hide the others.
_LIMIT = 2


def main(name: str) -> None:
    """Print the outcomes of the library `name`."""
    lib = library(name)
    outcomes: dict[str, object] = {}
    for scenario in SCENARIOS:
        try:
            outcomes[scenario] = lib.with_timeout(_LIMIT, SCENARIOS[scenario][0], lib)
        except BaseException as error:  # it is compared with the outcome that was agreed on
            outcomes[scenario] = f"{type(error).__name__}: {error}"
        lib.settle()
    print(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1])
