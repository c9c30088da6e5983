"""The lab, and beside it what its server keeps: the page that `benchmarks.soak` serves.

`streamlit run benchmarks/kept.py` is `app/main.py` with one thread more, which writes to the file that
`LLM_LAB_KEPT` names, every few seconds, how full the server's caches are and how much of its memory is
in use (the rest of what it holds was freed and not yet given back to the system).
"""

import ctypes
import json
import os
import runpy
import sys
import threading
import time
from pathlib import Path

import streamlit as st

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
EVERY_SECONDS = 5
MEGA = 2**20


class Mallinfo(ctypes.Structure):
    """glibc's `struct mallinfo2` (malloc(3)): bytes, over all arenas."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
            "fordblks", "keepcost",
        )
    ]  # fmt: skip


def kept() -> dict[str, float]:
    """MB, and numbers of things."""
    from app import results
    from labcore.zoo import own

    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = Mallinfo
    heap = mallinfo()
    return {
        "results": results._cache.currsize / MEGA,
        "results_count": len(results._cache),
        "models": own._kept.currsize / MEGA,
        "used": (heap.uordblks + heap.hblkhd) / MEGA,
        "freed": heap.fordblks / MEGA,
        "sessions": st.runtime.get_instance()._session_mgr.num_active_sessions(),
    }


def keep_telling(path: Path) -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        new = path.with_suffix(".new")
        new.write_text(json.dumps(kept()), encoding="utf-8")
        new.replace(path)


@st.cache_resource(show_spinner=False)
def begin() -> threading.Thread:
    thread = threading.Thread(
        target=keep_telling, args=[Path(os.environ["LLM_LAB_KEPT"])], daemon=True
    )
    thread.start()
    return thread


begin()
runpy.run_path(str(ROOT / "app" / "main.py"))
