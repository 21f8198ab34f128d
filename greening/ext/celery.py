"""Celery's tasks in green threads: `python -m greening.ext.celery -A app worker --concurrency 1000`

That is `celery -A app worker -P custom` with `CELERY_CUSTOM_WORKER_POOL=greening.ext.celery:TaskPool` in the
environment, which is how Celery itself is told of a pool. Other commands of Celery (`beat`, `flower`, `inspect`) run
the same way, in a patched process. docs/integrations/celery.md has the rest.

Without --concurrency Celery takes the number of processors, as for its other pools. A thousand is no large number here.

Celery imports the pool it is told of before it imports the application, so this file patches, as gevent's pool does.
"""

import os
import sys

from greening.monkey import monkey_patch

monkey_patch()

from celery.__main__ import main as celery_main
from celery.concurrency import ALIASES

from greening.ext.celery_pool import TaskPool as TaskPool

POOL = "greening.ext.celery:TaskPool"
VARIABLE = "CELERY_CUSTOM_WORKER_POOL"


def arguments(given: list[str]) -> list[str]:
    """Celery's arguments, with the choice of this pool behind the command `worker` if no other is chosen.

    Args:
        given: what follows the program's name.
    """
    if "worker" not in given:
        return given
    chosen = any(each in ("-P", "--pool") or each.startswith(("-P", "--pool=")) for each in given)
    place = given.index("worker") + 1
    return given if chosen else [*given[:place], "-P", "custom", *given[place:]]


def main() -> None:
    """`celery`, with this pool. Ends the process with Celery's status."""
    # The table for this process, which has read the environment; the environment for those that it starts: --detach.
    ALIASES["custom"] = os.environ.setdefault(VARIABLE, POOL)
    sys.argv[1:] = arguments(sys.argv[1:])
    celery_main()


if __name__ == "__main__":
    main()
