"""Memory that was freed goes back to the system.

glibc keeps what was freed, in a pool for every thread that asked for memory, and every run of a page is a
thread: after half an hour of use the server held more free memory than used (benchmarks/SOAK.md).
"""

import ctypes
import threading
import time

EVERY_SECONDS = 60.0


def give_back() -> bool:
    """Return free memory to the system, malloc_trim(3); whether there was any. False without glibc."""
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (AttributeError, TypeError):  # another C library; Windows
        return False
    return bool(trim(0))


def keep_giving_back() -> None:
    """Do so every minute for as long as the process lives."""
    threading.Thread(target=_for_ever, name="memory", daemon=True).start()


def _for_ever() -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        give_back()
