"""Threads that send a number of mails together, for the baselines in Python."""

import sys
import threading


def run_workers(count, thread_count, work):
    """Calls work(turns) on each thread; `turns` yields once for each mail that the thread has to send.

    Exits with the first failure.
    """
    numbers = iter(range(count))
    lock, failures = threading.Lock(), []

    def turns():
        while True:
            with lock:
                if next(numbers, None) is None:
                    return
            yield

    def worker():
        try:
            work(turns())
        except Exception as error:
            failures.append(error)

    pool = [threading.Thread(target=worker) for _ in range(thread_count - 1)]
    for thread in pool:
        thread.start()
    worker()
    for thread in pool:
        thread.join()
    if failures:
        sys.exit(f"{failures[0]!r}")
