"""Threads that share a number of mails, for the yardsticks in Python."""

import sys
import threading


def share(count, threads, work):
    """Calls work(turns) on each thread: `turns` goes round once for each mail that falls to that thread.

    Ends the program with the first failure.
    """
    numbers = iter(range(count))
    lock, failures = threading.Lock(), []

    def turns():
        while True:
            with lock:
                if next(numbers, None) is None:
                    return
            yield

    def member():
        try:
            work(turns())
        except Exception as error:
            failures.append(error)

    team = [threading.Thread(target=member) for _ in range(threads - 1)]
    for thread in team:
        thread.start()
    member()
    for thread in team:
        thread.join()
    if failures:
        sys.exit(f"{failures[0]!r}")
