"""The tasks of the family "celery"; as a program its client: `python -m benchmarks.inside.celery_app TASKS NAP`.

The client answers in JSON, once when the worker has warmed up, and then for each line of its input.
"""

import json
import os
import sys
import time

from celery import Celery

app = Celery("benchmark", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
app.conf.update(
    task_acks_late=bool(os.environ["LATE"]),
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="nap")  # type: ignore[untyped-decorator]  # Celery is untyped
def nap(seconds: float) -> None:
    if seconds:
        time.sleep(seconds)


def send_and_wait(number: int, seconds: float) -> None:
    """Results come in no order: the last one sent may be done before others are."""
    with app.producer_or_acquire() as producer:
        results = [nap.apply_async((seconds,), producer=producer) for _ in range(number)]
    for result in results:
        result.get(timeout=300)


def main() -> None:
    number, seconds = int(sys.argv[1]), float(sys.argv[2])
    send_and_wait(200, 0)  # threads are made, and their connections
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        begin = time.monotonic()
        try:
            send_and_wait(number, seconds)
        except Exception as error:  # noqa: BLE001
            print(json.dumps({"error": repr(error)}), flush=True)
        else:
            print(json.dumps({"seconds": time.monotonic() - begin}), flush=True)


if __name__ == "__main__":
    main()
