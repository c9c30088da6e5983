"""From a knob to its picture in a real browser, against the barest page with the same picture.

`python -m benchmarks.knob [--labs a,b]`. Ours is the lab as a learner has it; the peer is `knob_peer`: one
widget, the same figure drawn by the same function, every value prepared. Both stand open in one Chromium,
and a key press (or click) goes to one after the other. The clock starts with the press in the
browser and stops when the last stroke of the new picture is on the screen (`knob.js`).
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Browser, Locator, sync_playwright

from app import catalog
from benchmarks.knob_rows import LEFT_OUT, ROWS, Row
from benchmarks.rounds import Spread, table
from tests.browser.conftest import FLAGS
from tests.browser.install_chromium import find
from tests.browser.serving import serve

AIM = 1.3
AGAIN = 6  # turns back over values that the server has computed before
PEER = "benchmarks/knob_peer.py"
WARM = 2  # turns that do not count
QUIET_MS, PATIENCE_MS = 120, 20_000  # a picture that stands still for so long is finished
WATCH = (Path(__file__).parent / "knob.js").read_text(encoding="utf-8")


def css_class(key: str) -> str:
    """The class that Streamlit gives to the box of what has this key.

    >>> css_class("dataflow.temperature@en")
    'st-key-dataflow-temperature-en'
    """
    return "st-key-" + re.sub(r"[^a-zA-Z0-9_-]", "-", key)


@dataclass
class Side:
    """One of the two pages: its server, its browser tab, and what its turns have cost."""

    server: psutil.Process
    milliseconds: list[float] = field(default_factory=list)
    payload: list[int] = field(default_factory=list)  # bytes received, for each turn
    cpu: list[float] = field(default_factory=list)  # the server's, ms
    received: int = 0

    def open(self, browser: Browser, address: str, row: Row, knob: str) -> None:
        """Wait until picture and knob stand on the page and the server is silent."""
        context = browser.new_context(
            viewport={"width": 1280, "height": 900}, locale="en-GB", reduced_motion="reduce"
        )
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.add_init_script(WATCH)
        self.page.on("websocket", lambda socket: socket.on("framereceived", self._receive))
        self.page.goto(address, timeout=120_000)
        self.figure = f".stElementContainer.{css_class(f'{row.lab}.figure.{row.figure}')}"
        self.page.locator(self.figure).first.wait_for(timeout=120_000)
        self.knob = self.page.locator(f".{css_class(knob)}")
        self.knob.locator("input, [role=radio]").first.wait_for(state="attached")
        self.knob.evaluate(  # a knob that is folded away
            "e => { for (let d = e.closest('details'); d; d = d.parentElement.closest('details'))"
            " if (!d.open) d.querySelector('summary').click() }"
        )
        self._silence()

    def _receive(self, payload: bytes | str) -> None:
        self.received += len(payload)

    def _silence(self) -> None:
        before = -1
        while before != self.received:
            before = self.received
            self.page.wait_for_timeout(400)

    def turn(self, by: int, counts: bool) -> None:
        """Turn the knob by one place; the picture must change."""
        self.page.locator(self.figure).first.scroll_into_view_if_needed()
        received, cpu = self.received, sum(self.server.cpu_times()[:2])
        press = self._ready(by)
        self.page.evaluate("selector => void bench.watch(selector)", self.figure)
        press()
        told = self.page.evaluate(f"bench.settled({QUIET_MS}, {PATIENCE_MS})")
        if told is None:
            raise RuntimeError(f"the picture {self.figure} does not follow its knob")
        if counts:
            self.milliseconds.append(told["last"])
            self.payload.append(self.received - received)
            self.cpu.append(1e3 * (sum(self.server.cpu_times()[:2]) - cpu))

    def _ready(self, by: int):
        """What presses the knob once, everything before the last key or click done."""
        if self.knob.locator("input[type=range]").count():
            thumb = self.knob.locator("input[type=range]").first
            thumb.evaluate("e => e.focus({preventScroll: true})")
            return lambda: self.page.keyboard.press("ArrowRight" if by > 0 else "ArrowLeft")
        if self.knob.locator("[role=combobox]").count():
            options = self.page.locator("[role=option]")
            while not options.count():  # a page that is still drawn shuts its list again
                self.knob.locator("button").first.click()
                options.first.wait_for()
                self.page.wait_for_timeout(100)
        else:
            options = self.knob.locator("[role=radio]")
        chosen = options.evaluate_all(
            "all => all.findIndex(e => e.checked || e.ariaChecked == 'true' || e.ariaSelected == 'true')"
        )
        option: Locator = options.nth((chosen + by) % options.count())
        return lambda: option.evaluate("e => e.click()")


@dataclass(frozen=True, slots=True)
class Measured:
    """Ours and the peer's over the same turns."""

    row: Row
    ours: Side
    peer: Side
    new: int  # how many of the turns, the first, went to values never asked for before

    def ratio(self, turns: slice = slice(None)) -> float:
        ours, peer = (np.array(side.milliseconds[turns]) for side in (self.ours, self.peer))
        return float(np.median(ours / peer))  # within a turn, then over all of them

    def server_share(self) -> float:
        """Of the time that ours takes longer: how much the server's processor took longer."""
        longer = [
            np.median(ours) - np.median(peer)
            for ours, peer in (
                (self.ours.milliseconds, self.peer.milliseconds), (self.ours.cpu, self.peer.cpu)
            )
        ]  # fmt: skip
        return float(np.clip(longer[1] / longer[0], 0, 1)) if longer[0] > 0 else 0.0

    def line(self) -> Sequence[str]:
        def kib(side: Side) -> str:
            return f"{np.median(side.payload) / 1024:.1f}"

        ours, peer = (Spread(np.array(side.milliseconds)) for side in (self.ours, self.peer))
        return (
            self.row.lab, f"{self.row.knob} → {self.row.figure}",
            ours.text(digits=0), peer.text(digits=0), f"{self.ratio():.2f}",
            f"{self.ratio(slice(self.new)):.2f} / {self.ratio(slice(self.new, None)):.2f}",
            f"{np.median(self.ours.cpu):.0f} / {np.median(self.peer.cpu):.0f}",
            f"{self.server_share():.0%}",
            f"{kib(self.ours)} / {kib(self.peer)}",
        )  # fmt: skip


def measure(browser: Browser, row: Row, ours: tuple, peer: tuple) -> Measured:
    """`ours` and `peer`: address and process of a server."""
    chapter = catalog.LABS[row.lab].chapter
    sides = Side(ours[1]), Side(peer[1])
    link = f"lab={row.lab}&lang=en&{row.link}"
    try:
        sides[1].open(browser, f"{peer[0]}/?{link}", row, "knob")
        sides[0].open(browser, f"{ours[0]}/{chapter}?{link}", row, f"{row.lab}.{row.knob}@en")
        forward = [1 if row.steps > 0 else -1] * abs(row.steps)
        new = len(forward) - min(WARM, len(forward) - 1)
        way = forward + [by for by, _ in zip(_back_and_forth(forward), range(AGAIN), strict=False)]
        for number, by in enumerate(way):
            for side in sides if number % 2 else sides[::-1]:
                side.turn(by, counts=number >= len(forward) - new)
        return Measured(row, *sides, new)
    finally:
        for context in browser.contexts:
            context.close()


def _back_and_forth(forward: Sequence[int]) -> Iterator[int]:
    while True:
        yield from (-by for by in forward)
        yield from forward


def measured(rows: Sequence[Row], warm: float) -> tuple[list[Measured], list[str]]:
    """All rows, and a sentence on each that could not be measured."""
    folder = Path(tempfile.mkdtemp(prefix="llm-lab-knob-"))
    found, wrong = [], []
    me = psutil.Process()
    with serve("app/main.py", folder / "ours.log") as ours:
        ours = ours, me.children()[-1]
        with (
            serve(PEER, folder / "peer.log") as peer,
            sync_playwright() as play,
        ):
            peer = peer, next(one for one in me.children() if PEER in one.cmdline())
            browser = play.chromium.launch(executable_path=find(), args=FLAGS)
            page = browser.new_page()
            page.goto(ours[0])  # behind this visitor's back the server warms up
            page.wait_for_timeout(1e3 * warm)
            page.close()
            for row in rows:
                try:
                    found.append(measure(browser, row, ours, peer))
                    print(" | ".join(found[-1].line()), file=sys.stderr, flush=True)
                except Exception as error:  # one lab that cannot be measured hides no other
                    wrong.append(f"`{row.lab}`: {str(error).splitlines()[0]}")
                    print(wrong[-1], file=sys.stderr, flush=True)
            browser.close()
    return found, wrong


def section(labs: Sequence[str] = (), warm: float = 25) -> str:
    rows = [row for row in ROWS if not labs or row.lab in labs]
    found, wrong = measured(rows, warm)
    head = (
        "lab", "knob → picture", "ours, ms", "peer, ms", "ratio", "ratio: new value / seen before",
        "server CPU per turn, ms: ours / peer", "server's share of the difference",
        "KiB per turn: ours / peer",
    )  # fmt: skip
    missed = sorted((m for m in found if m.ratio() > AIM), key=Measured.ratio, reverse=True)
    ratios = Spread(np.array([m.ratio() for m in found]))
    said = f"Aim: at most {AIM} for every lab. "
    if missed:
        worst = missed[0]
        said += (
            f"Missed by {len(missed)} of {len(found)} labs (median ratio {ratios.text()}, "
            f"worst {worst.ratio():.2f}, `{worst.row.lab}`). {BECAUSE} "
            + because_of_the_server(missed)
        )
    else:
        said += f"Met by all {len(found)}."
    left = [f"`{lab}`: {why}" for lab, why in LEFT_OUT.items()] + wrong
    return "\n\n".join(
        [
            "## 5. Knob to picture in a browser",
            "A lab's page against the barest Streamlit page with the same figure, one widget and every value "
            "prepared. From the press to the last stroke on the screen; median and quartiles over the turns.",
            table(head, [m.line() for m in found]),
            said,
            *(["Not measured: " + "; ".join(left) + "."] if left else []),
        ]
    )


BECAUSE = (
    "A lab's knob redraws its experiment, or the part of it that the knob alone turns: Streamlit sends every "
    "element of a fragment again, changed or not, and the browser renders each before it paints. That takes "
    "1 to 2.4 ms of processor time for each, and 0.5 to 1.3 for each that stands elsewhere on the page, "
    "measured on pages of thirty alike; the peer has two elements."
)


def because_of_the_server(missed: Sequence[Measured]) -> str:
    """The labs in which computing and drawing on the server make most of the difference."""
    slow = [f"`{m.row.lab}`" for m in missed if m.server_share() > 0.5]
    if not slow:
        return "In none of them is the server more than half of the difference."
    return f"The server's own work is more than half of the difference in {', '.join(slow)}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labs", default="", help="a,b: these alone")
    parser.add_argument("--warm", type=float, default=25, help="seconds for the server's warm-up")
    asked = parser.parse_args()
    print(section([lab for lab in asked.labs.split(",") if lab], asked.warm))


if __name__ == "__main__":
    main()
