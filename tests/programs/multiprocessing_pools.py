"""After monkey_patch(): process pools of both kinds do what they do unpatched, and others run meanwhile.

Argument: the start method.
"""

import greening

greening.monkey_patch()

import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.pool import Pool, ThreadPool


def square(x: int) -> int:
    return x * x


def fail(x: int) -> int:
    raise ValueError(x)


def leave(status: int) -> None:
    os._exit(status)


def pid_of_worker(x: int) -> int:
    return os.getpid()


def refuse() -> None:
    raise OSError("this worker does not start")


class Ticks:
    """Counts how often others were let run."""

    def __enter__(self) -> "Ticks":
        self.count = 0
        self._thread = greening.spawn(self._run)
        return self

    def _run(self) -> None:
        while True:
            time.sleep(0.001)
            self.count += 1

    def __exit__(self, *exc_info: object) -> None:
        self._thread.kill()


def pools(context) -> None:
    squares = [x * x for x in range(30)]
    with context.Pool(3) as pool, Ticks() as ticks:
        assert pool.map(square, range(30), 1) == squares
        assert list(pool.imap(square, range(30), 4)) == squares
        assert sorted(pool.imap_unordered(square, range(30))) == squares
        pool.apply(time.sleep, (0.1,))
        assert ticks.count > 10
        try:
            pool.map(fail, [1])
        except ValueError as error:
            assert type(error.__cause__).__name__ == "RemoteTraceback"
        waits = pool.map_async(time.sleep, [0.05] * 4, 1)
        try:
            waits.get(0.001)
        except multiprocessing.TimeoutError:
            waits.get(30)

    # Ends of all kinds: while there is work, when idle, by waiting, after a worker was killed.
    for work in (100, 0):
        pool = context.Pool(2)
        pool.map_async(time.sleep, [0.05] * work, 1)
        time.sleep(0.01)
        pool.terminate()
        pool.join()
    pool = context.Pool(1, maxtasksperchild=2)
    pids = pool.map(pid_of_worker, range(6), 1)
    pool.close()
    pool.join()
    assert len(set(pids)) == 3
    with context.Pool(2) as pool:
        pool.apply_async(leave, (3,))
        assert pool.map(square, range(30), 1) == squares
    with ThreadPool(4) as threads:
        assert threads.map(square, range(30)) == squares
    del pool  # what a `Pool` left behind at exit does, is the last act of `executors`
    assert Pool.__module__ == "multiprocessing.pool"


def executors(context) -> None:
    with ProcessPoolExecutor(2, mp_context=context) as executor, Ticks() as ticks:
        assert list(executor.map(square, range(30), chunksize=4)) == [x * x for x in range(30)]
        executor.submit(time.sleep, 0.1).result()
        assert ticks.count > 10
        assert type(executor.submit(fail, 3).exception()) is ValueError
        results: list[int] = []
        users = [
            threading.Thread(target=lambda x=x: results.append(executor.submit(square, x).result())) for x in range(50)
        ]
        for user in users:
            user.start()
        for user in users:
            user.join()
        assert sorted(results) == [x * x for x in range(50)]
        assert type(executor.submit(leave, 5).exception()) is BrokenProcessPool
    with ProcessPoolExecutor(1, mp_context=context, initializer=refuse) as executor:
        assert type(executor.submit(square, 1).exception()) is BrokenProcessPool
    executor = ProcessPoolExecutor(1, mp_context=context)
    futures = [executor.submit(time.sleep, 0.02) for _ in range(20)]
    futures[0].result()
    executor.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)
    assert futures[-1].cancelled()
    left = ProcessPoolExecutor(1, mp_context=context)
    left.submit(square, 1)


if __name__ == "__main__":
    start_method = multiprocessing.get_context(sys.argv[1])
    pools(start_method)
    executors(start_method)
