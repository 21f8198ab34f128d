"""Celery with `-P eventlet`, over a broker of files: twenty tasks of half a second at a time, a retry, a countdown."""

import os
import sys
import tempfile
import time

FOLDER = os.environ.setdefault("CELERY_FOLDER", tempfile.mkdtemp(prefix="celery-"))
HERE = os.path.dirname(os.path.abspath(__file__))

from celery import Celery

for name in ("queue", "results", "control"):
    os.makedirs(os.path.join(FOLDER, name), exist_ok=True)
queue = os.path.join(FOLDER, "queue")
app = Celery("celery_app", broker="filesystem://", backend=f"file://{FOLDER}/results")
app.conf.broker_transport_options = {
    "data_folder_in": queue,
    "data_folder_out": queue,
    "control_folder": os.path.join(FOLDER, "control"),
}


@app.task(name="slow")
def slow(number: int) -> int:
    """Wait, and give the number back."""
    time.sleep(0.5)
    return number


@app.task(name="stubborn", bind=True, max_retries=3)
def stubborn(self: object) -> int:
    """Succeed at the second try."""
    if not self.request.retries:
        raise self.retry(countdown=0.2)
    return int(self.request.retries)


@app.task(name="engines")
def engines() -> list[str]:
    """What eventlet is in the worker."""
    from checks import engines

    return engines()


def main() -> None:
    """The checks, with a worker."""
    from checks import CHECKS, expected_engines, run, running

    def the_engine() -> None:
        assert engines.delay().get(timeout=60) == expected_engines()

    def many_at_a_time() -> None:
        begun = time.monotonic()
        results = [slow.delay(number) for number in range(20)]
        assert [result.get(timeout=60) for result in results] == list(range(20))
        assert time.monotonic() - begun < 9, "they ran one after another"

    def retry_and_countdown() -> None:
        begun = time.monotonic()
        later = slow.apply_async((7,), countdown=1)
        assert stubborn.delay().get(timeout=60) == 1
        assert later.get(timeout=60) == 7
        assert time.monotonic() - begun >= 1

    CHECKS.update(
        {"the_engine": the_engine, "many_at_a_time": many_at_a_time, "retry_and_countdown": retry_and_countdown}
    )
    arguments = ["-m", "celery", "-A", "celery_app", "worker", "-P", "eventlet", "-c", "20", "--without-mingle"]
    with running(*arguments, PYTHONPATH=os.pathsep.join((HERE, os.environ.get("PYTHONPATH", "")))):
        run()


if __name__ == "__main__":
    sys.modules["celery_app"] = sys.modules["__main__"]
    main()
