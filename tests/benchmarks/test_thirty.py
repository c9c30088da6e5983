"""The load test itself: a few sessions turn knobs of real pages, and nothing goes wrong."""

import re
import subprocess
import sys

from app.catalog import ROOT


def test_three_sessions_turn_knobs_and_the_table_says_so():
    few = ["--sessions=3", "--seconds=5", "--think=0.5", "--arrival=1", "--warm=1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.thirty", *few],
        cwd=ROOT, capture_output=True, text=True, timeout=180, check=True,
    )  # fmt: skip
    assert "| errors | 0 |" in done.stdout, done.stderr
    turned = int(re.search(r"knobs turned \| (\d+)", done.stdout).group(1))
    assert turned >= 6  # three sessions, five seconds, a knob every half a second or so
