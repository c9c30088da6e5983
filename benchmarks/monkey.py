"""A monkey at every page: turns any knob, types anything, presses every button, follows odd links.

`python -m benchmarks.monkey --steps 3000 --seed 1 [--pages attention home …]` (or `make monkey`). Pages are
driven by Streamlit's AppTest through `app/main.py`, so all but the browser is real; a widget is set as a
browser would, by the message that it would send. Background runs happen on the spot and are stopped after
`--run-seconds`, as their watcher might do. What a step must not do: raise, leave an exception or an error box
on the page, or render a learner's text as HTML or Markdown.

A visit (a page, some steps in a row) has a seed of its own: the line printed for a failure repeats it alone.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1 import element_tree as tree

from app import catalog
from app.chapter import FACETS, QUIZ
from app.i18n import LANGUAGES
from benchmarks.hostile import FILES, LINK, MARK, NUMBERS, TEXTS

PATIENCE_SECONDS = 300
VISIT_STEPS = 15
WIDGETS = (
    tree.Slider, tree.SelectSlider, tree.ButtonGroup, tree.Selectbox, tree.Multiselect, tree.Radio,
    tree.Checkbox, tree.Toggle, tree.NumberInput, tree.TextInput, tree.TextArea, tree.FileUploader,
)  # fmt: skip
# Buttons that would download hundreds of megabytes, or start a server of their own.
LEFT_ALONE = (".fetch", ".look_up", "served.start")


@dataclass(frozen=True, slots=True)
class Place:
    """A page of the lab, and what is picked on it."""

    name: str
    page: str  # a file of pages/, without its ending
    lab: str = ""


@dataclass(slots=True)
class Tally:
    """What a page went through."""

    steps: int = 0
    runs: int = 0
    touched: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")


def places() -> list[Place]:
    """Every page: home, reference, bug zoo, classroom, each lab and each chapter's quiz."""
    labs = [
        Place(lab, chapter.id, lab)
        for chapter in catalog.CHAPTERS
        for lab in (*(lab.id for lab in chapter.labs), QUIZ)
    ]
    named = [
        Place(f"{place.page}-{QUIZ}", place.page, QUIZ) if place.lab == QUIZ else place
        for place in labs
    ]
    return [*(Place(page, page) for page in ("home", "reference", "bug_zoo", "classroom")), *named]


class Broken(Exception):
    """The page did what it must not."""


class Visit:
    """One visitor on one page."""

    def __init__(self, place: Place, seed: int, number: int, tally: Tally):
        self.place, self.tally = place, tally
        self.random = random.Random(f"{seed}/{place.name}/{number}")
        self.last: deque[str] = deque(maxlen=12)

    def go(self, steps: int, complaints: Complaints) -> None:
        """Open the page, then so many random acts. `Broken` if one of them breaks it."""
        self._do("opened", self._open, complaints)
        for _ in range(steps - 1):
            acts = (self._turn, self._press, self._language, self._link, self._look, self._open)
            (act,) = self.random.choices(acts, (55, 22, 5, 10, 6, 2))
            self._do("", act, complaints)

    def _do(self, told: str, act, complaints: Complaints) -> None:
        begun = time.perf_counter()
        self.last.append(f"{act.__name__}: did not come back")
        try:
            told = act() or told or act.__name__
        except Exception as escaped:
            raise Broken(f"{type(escaped).__name__}: {escaped}"[:600]) from escaped
        finally:
            self.tally.steps += 1
        self.last[-1] = told[:200]
        self.tally.slowest = max(self.tally.slowest, (time.perf_counter() - begun, told[:60]))
        found = [f"{e.type}: {e.value}" for e in self.app.error]
        found += [f"{e.proto.type}: {e.message}" for e in self.app.exception]
        found += [
            f"text rendered: {str(e.value)[:150]}"
            for kind in ("markdown", "caption", "html", "warning", "info", "success")
            for e in self.app.get(kind)
            if is_rendered(e)
        ]
        if found:
            raise Broken("; ".join(found)[:600] + complaints.taken())
        complaints.taken()

    # Acts. Each returns a sentence for the log.

    def _open(self) -> str:
        """A new session on the page."""
        language = self.random.choice(LANGUAGES)
        query = {"lang": language} | ({"lab": self.place.lab} if self.place.lab else {})
        return self._arrive(query)

    def _arrive(self, query: dict[str, str]) -> str:
        self.app = AppTest.from_file(
            str(catalog.ROOT / "app" / "main.py"), default_timeout=PATIENCE_SECONDS
        )
        self.app.query_params["lang"] = query.get("lang", "en")
        if self.place.page != "home":
            self.app.run()
            self.app.switch_page(f"../pages/{self.place.page}.py")
        self.app.query_params.clear()
        self.app.query_params.update(query)
        self.app.run()
        return f"arrived {query}"

    def _turn(self) -> str:
        """Set a widget to something."""
        able = [w for w in self._all(WIDGETS) if not w.proto.disabled]
        if not able:
            return "nothing to turn"
        widget = self.random.choice(able)
        self.tally.touched.add(widget.key or widget.proto.label)
        if isinstance(widget, tree.FileUploader):
            return self._upload(widget)
        state, told = self._state(widget)
        self._send({state.id: state}, getattr(widget.proto, "form_id", ""))
        return f"turned {widget.key or widget.proto.label!r} to {told!r}"

    def _upload(self, widget: tree.FileUploader) -> str:
        ending = self.random.choice(widget.allowed_type or [".txt"])
        content = self.random.choice(FILES)
        name = self.random.choice(("a", MARK, "..", "汉" * 50)) + ending
        files = [(name, content, "application/octet-stream")]
        if widget.accept_multiple_files:
            files *= self.random.randint(1, 12)
        widget.set_value(files)
        if form := widget.proto.form_id:
            self._submit_of(form).click()
        self.app.run()
        return f"uploaded {name[:20]!r} {content[:20]!r} to {widget.key!r}"

    def _press(self) -> str:
        buttons = [
            b for b in self._all((tree.Button,))
            if not b.proto.disabled and not (b.key or "").endswith(LEFT_ALONE)
        ]  # fmt: skip
        runs = [b for b in buttons if (b.key or "").endswith(".run")]
        if not buttons:
            return "nothing to press"
        button = self.random.choice(runs if runs and self.random.random() < 0.4 else buttons)
        self.tally.runs += button in runs
        self.tally.touched.add(button.key or button.label)
        typed = {}
        if form := button.proto.form_id:
            for widget in self._all(WIDGETS):
                if widget.proto.form_id == form and not isinstance(widget, tree.FileUploader):
                    state, _ = self._state(widget)
                    typed[state.id] = state
        typed[button.id] = WidgetState(id=button.id, trigger_value=True)
        self._send(typed)
        return f"pressed {button.key or button.label!r}"

    def _language(self) -> str:
        language = self.random.choice(LANGUAGES)
        self.app.session_state["language.widget"] = language
        self.app.run()
        return f"language {language}"

    def _link(self) -> str:
        """A link as somebody might mangle it, in this session or a new one."""
        knobs = self._knobs() or ["text"]
        query = {"lang": self.random.choice((*LANGUAGES, "xx", ""))}
        if self.place.lab:
            query["lab"] = self.random.choice((*[self.place.lab] * 9, "no-such-lab"))
        for knob in self.random.choices(knobs, k=self.random.randint(1, 5)):
            value = self.random.choice((*TEXTS[:40], *map(str, NUMBERS), "1", "3", "0.5"))
            query[knob] = value
        frames = {
            "lock": ",".join(self.random.choices(knobs, k=3)), "hide": self.random.choice(knobs),
            "facet": self.random.choice((*FACETS, MARK)), "present": self.random.choice("10"),
            "class": self.random.choice(TEXTS[:30]),
        }  # fmt: skip
        for name, value in frames.items():
            if self.random.random() < 0.2:
                query[name] = value
        if self.random.random() < 0.5:
            return self._arrive(query)
        self.app.query_params.update(query)
        self.app.run()
        return f"followed {query}"

    def _look(self) -> str:
        """Open or close the table of a figure."""
        state = self.app.session_state._state
        tables = [key for key in state.filtered_state if str(key).endswith(".table")]
        if not tables:
            return "no table"
        key = self.random.choice(sorted(tables))
        self.app.session_state[key] = not state[key]
        self.app.run()
        self.tally.touched.add(key)
        return f"table {key}"

    # Widgets, as a browser sees them.

    def _all(self, kinds: tuple[type, ...]) -> list:
        return [element for element in self.app._tree if isinstance(element, kinds)]

    def _submit_of(self, form: str):
        return next(b for b in self._all((tree.Button,)) if b.proto.form_id == form)

    def _knobs(self) -> list[str]:
        begin = f"{self.place.lab or self.place.page}."
        names = (str(key) for key in self.app.session_state._state.filtered_state)
        return sorted(
            name.removeprefix(begin) for name in names
            if name.startswith(begin) and "@" not in name and name.count(".") == 1
        )  # fmt: skip

    def _send(self, states: dict[str, WidgetState], form: str = "") -> None:
        """Run the page with these states in place of what the widgets have."""
        if form:
            submit = self._submit_of(form)
            states = states | {submit.id: WidgetState(id=submit.id, trigger_value=True)}
            submit.click()
        sent = self.app._tree.get_widget_states()
        kept = [state for state in sent.widgets if state.id not in states]
        del sent.widgets[:]
        sent.widgets.extend([*kept, *states.values()])
        self.app._run(sent)

    def _state(self, widget) -> tuple[WidgetState, object]:
        """A random state for the widget, and how to tell it."""
        pick, proto, state = self.random.choice, widget.proto, WidgetState(id=widget.id)
        if isinstance(widget, tree.Slider):
            steps = round((proto.max - proto.min) / proto.step)
            ends = sorted(
                min(proto.min + self.random.choice((0, steps, self.random.randint(0, steps)))
                    * proto.step, proto.max)
                for _ in proto.default
            )  # fmt: skip
            state.double_array_value.data.extend(ends)
            return state, ends
        if isinstance(widget, tree.SelectSlider):
            ends = [pick(list(proto.options)) for _ in proto.default]
            state.string_array_value.data.extend(ends)
            return state, ends
        if isinstance(widget, tree.ButtonGroup | tree.Multiselect):
            options = widget.options
            single = isinstance(widget, tree.ButtonGroup) and widget._is_single_select
            most = 1 if single else min(4, len(options))
            chosen = self.random.sample(options, self.random.randint(0 if most > 1 else 1, most))
            state.string_array_value.data.extend(chosen)
            return state, chosen
        if isinstance(widget, tree.Selectbox | tree.Radio):
            chosen = pick(widget.options) if widget.options else ""
            state.string_value = chosen
            return state, chosen
        if isinstance(widget, tree.Checkbox | tree.Toggle):
            state.bool_value = self.random.random() < 0.5
            return state, state.bool_value
        if isinstance(widget, tree.NumberInput):
            low, high = widget.min, widget.max
            low, high = -1e6 if low is None else low, 1e6 if high is None else high
            number = pick((low, high, low + self.random.random() * (high - low)))
            state.double_value = number if proto.data_type == proto.FLOAT else round(number)
            return state, number
        text = pick(TEXTS)
        limit = proto.max_chars or len(text)
        state.string_value = text[:limit]
        return state, text[:40]


def is_rendered(element) -> bool:
    """Whether a learner's text stands in this element as markup.

    The mark survives as it is where nobody escaped it; in Markdown without HTML the browser shows it as
    text, and there the link would be one.
    """
    value = str(element.value)
    if MARK in value and (element.type == "html" or getattr(element.proto, "allow_html", False)):
        return True
    return element.type != "html" and LINK in value


class Complaints(logging.Handler):
    """What the lab logged about unexpected errors since the last step."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append("\n" + self.format(record)[-1500:])

    def taken(self) -> str:
        told, self.lines = "".join(self.lines), []
        return told


def roam(
    where: list[Place],
    steps: int,
    seed: int,
    first: int = 0,
    visit_steps: int = VISIT_STEPS,
    say=print,
) -> dict[str, Tally]:
    """Visit after visit, each page in turn, until so many steps are done; what each went through."""
    tallies = {place.name: Tally() for place in where}
    complaints = Complaints()
    logging.getLogger("app").addHandler(complaints)
    done, number = 0, first
    try:
        while done < steps:
            for place in where:
                if done >= steps:
                    break
                tally = tallies[place.name]
                before, visit = tally.steps, Visit(place, seed, number, tally)
                try:
                    visit.go(visit_steps, complaints)
                except Broken as broken:
                    tally.failures.append(str(broken))
                    say(
                        f"\nFAILED {place.name}: {broken}\nAgain: python -m benchmarks.monkey "
                        f"--seed {seed} --pages {place.name} --visit {number} "
                        f"--steps {tally.steps - before}\nLast steps:\n  " + "\n  ".join(visit.last)
                    )
                done += tally.steps - before
            number += 1
            print(f"{done} of {steps} steps", file=sys.stderr, flush=True)
    finally:
        logging.getLogger("app").removeHandler(complaints)
    return tallies


def table(tallies: dict[str, Tally]) -> str:
    rows = [
        "| page | steps | runs | widgets touched | exceptions | slowest step |",
        "|---|---|---|---|---|---|",
    ]
    for name, tally in tallies.items():
        seconds, told = tally.slowest
        rows.append(
            f"| {name} | {tally.steps} | {tally.runs} | {len(tally.touched)} "
            f"| {len(tally.failures)} | {seconds:.1f} s: {told.replace('|', ' ')!r} |"
        )
    total = tallies.values()
    touched = sum(len(tally.touched) for tally in total)
    rows.append(
        f"| all {len(tallies)} | {sum(t.steps for t in total)} | {sum(t.runs for t in total)} "
        f"| {touched} | {sum(len(t.failures) for t in total)} | |"
    )
    return "\n".join(rows)


def settle(folder: str, run_seconds: float) -> None:
    """An environment of its own: runs on the spot, no network, no model but the bundled ones."""
    os.environ.update(
        LLM_LAB_JOBS="inline", LLM_LAB_INLINE_SECONDS=str(run_seconds), LLM_LAB_CACHE=folder,
        LLM_LAB_DATABASE=f"sqlite:///{Path(folder) / 'classes.sqlite3'}", HF_HUB_OFFLINE="1",
    )  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pages", nargs="*", default=[], help="names as in the table; all if none")
    parser.add_argument("--visit", type=int, default=0, help="the number of the first visit")
    parser.add_argument("--run-seconds", type=float, default=1.5)
    asked = parser.parse_args()
    known = places()
    if unknown := set(asked.pages) - {place.name for place in known}:
        parser.error(f"no such page: {', '.join(sorted(unknown))}")
    where = [place for place in known if not asked.pages or place.name in asked.pages]
    logging.getLogger("streamlit").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        settle(folder, asked.run_seconds)
        tallies = roam(
            where, asked.steps, asked.seed, asked.visit, say=lambda text: print(text, flush=True)
        )
    print(table(tallies), flush=True)
    return int(any(tally.failures for tally in tallies.values()))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # script threads of a timed-out step must not hold the process
