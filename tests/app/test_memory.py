import platform
import threading

import psutil
import pytest

from app import memory

MEGA = 2**20


def keep_every_400th(kept: list[bytearray]) -> None:
    """Fill a thread's pool with 120 MB and let all go but a few blocks, which pin the pool's end."""
    kept.extend([bytearray(4_000) for _ in range(30_000)][::400])


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep no pools")
def test_memory_that_threads_have_freed_goes_back_to_the_system():
    process, kept = psutil.Process(), []
    memory.give_back()
    before = process.memory_info().rss
    threads = [threading.Thread(target=keep_every_400th, args=(kept,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    freed = process.memory_info().rss - before
    assert memory.give_back()
    assert process.memory_info().rss - before < freed / 4
    assert freed > 50 * MEGA  # else there was nothing to give back


def test_without_that_function_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.give_back() is False
