"""Knobs: labelled widgets whose values live in the URL.

Streamlit writes the translated label of an option into the URL and forgets an option when its label
changes language. So a knob's canonical value is kept apart from its widget: in
`session_state["<lab>.<knob>"]`, from which the widget of the present language is seeded, and in the
URL, where it can be shared. A teacher's link may also lock knobs (`?lock=a,b`: shown, not to be turned)
or hide them (`?hide=c`).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st

from app.i18n import Words

URL_TEXT_LIMIT = 1_500  # characters of a learner's text that a link carries
FRAME_PARAMETERS = ("lang", "lab", "lock", "hide", "facet", "class", "present")


@dataclass
class Controls:
    """The knobs of one lab in one run of the page."""

    lab: str
    words: Words
    values: dict[str, Any] = field(default_factory=dict)  # every knob drawn so far
    defaults: dict[str, Any] = field(default_factory=dict)
    rejected: list[str] = field(default_factory=list)  # knobs for which the link held nonsense
    drawing: bool = True  # False within `aside`

    def __post_init__(self):
        self.locked = _names("lock")
        self.hidden = _names("hide")
        self._incoming = _incoming(self.lab)

    # The kinds of knob.

    def slider(
        self, knob: str, low: float, high: float, default: float, step: float = 1,
        format: str | None = None,
    ) -> float:  # fmt: skip
        """A number between two ends; a whole number if all of low, high and step are."""
        kind = int if all(isinstance(n, int) for n in (low, high, default, step)) else float

        def parse(raw: str) -> float:
            number = kind(float(raw))
            if not low <= number <= high:
                raise ValueError
            return number

        if low >= high:  # nothing to choose, as with the only layer of a model
            return self._keep(knob, kind(low), default)
        return self._knob(
            knob, default, parse,
            lambda value: min(max(kind(value), kind(low)), kind(high)),
            lambda key, label, start, **rest: st.slider(
                label, kind(low), kind(high), start, kind(step), format, key=key, **rest
            ),
        )  # fmt: skip

    def number(self, knob: str, low: int, high: int, default: int, step: int = 1) -> int:
        """A whole number that one may type."""

        def parse(raw: str) -> int:
            if not low <= int(raw) <= high:
                raise ValueError
            return int(raw)

        return self._knob(
            knob, default, parse,
            lambda value: min(max(int(value), low), high) if value is not None else default,
            lambda key, label, start, **rest: st.number_input(
                label, low, high, start, step, key=key, **rest
            ),
        )  # fmt: skip

    def toggle(self, knob: str, default: bool) -> bool:
        return self._knob(
            knob, default, {"1": True, "0": False}.__getitem__, bool,
            lambda key, label, start, **rest: st.toggle(label, start, key=key, **rest),
            encode=lambda value: "1" if value else "0",
        )  # fmt: skip

    def choice(
        self, knob: str, options: Sequence[str], default: str, style: str = "segmented",
        label: Callable[[str], str] | None = None,
    ) -> str:  # fmt: skip
        """One of `options`, shown as `option.<knob>.<value>` or by `label`.

        style: "segmented" for up to five short options, "pills" for more, "select" for a long list,
        "slide" for options in an order.
        """
        show = label or (lambda value: self.words(f"option.{knob}.{value}"))
        if default not in options:  # there may be fewer today than the lab has in mind
            default = options[-1]
        widget = {
            "segmented": partial(st.segmented_control, required=True, wrap=True),
            "pills": partial(st.pills, required=True, wrap=True),
            "select": st.selectbox,
            "slide": st.select_slider,
        }[style]

        def begin(value: str) -> dict[str, Any]:
            if style == "select":
                return {"index": list(options).index(value)}
            return {"value" if style == "slide" else "default": value}

        def parse(raw: str) -> str:
            if raw not in options:
                raise ValueError
            return raw

        return self._knob(
            knob, default, parse,
            lambda value: value if value in options else default,
            lambda key, label, start, **rest: widget(
                label, list(options), format_func=show, key=key, **begin(start), **rest
            ),
        )  # fmt: skip

    def text(self, knob: str, default: str, limit: int, lines: int = 2) -> str:
        """The learner's own text; more than `limit` characters are cut by the lab, not refused."""
        slot = f"{self.lab}.{knob}"
        told = st.session_state.get(f"{slot}.default", default)
        if told != default and st.session_state.get(slot) == told:
            self.set(knob, default)  # an untouched example follows the language
        st.session_state[f"{slot}.default"] = default
        return self._knob(
            knob, default, lambda raw: raw[:limit], lambda value: str(value or ""),
            lambda key, label, start, **rest: (
                st.text_area(label, start, 28 + 26 * lines, key=key, **rest)
                if lines > 1
                else st.text_input(label, start, key=key, **rest)
            ),
        )  # fmt: skip

    def kept(
        self, knob: str, default: Any, parse: Callable[[str], Any], encode: Callable[[Any], str],
        fit: Callable[[Any], Any] = lambda value: value,
    ) -> Any:  # fmt: skip
        """A value without a widget, turned in a figure by way of `set`; `fit` makes it one of today's
        (a matrix of the present size)."""
        slot = f"{self.lab}.{knob}"
        if knob in self._incoming:
            try:
                st.session_state[slot] = parse(self._incoming.pop(knob))
            except (ValueError, KeyError, OverflowError):
                st.session_state[slot] = default
                self.rejected.append(knob)
        value = st.session_state[slot] = fit(st.session_state.get(slot, default))
        return self._keep(knob, value, default, encode)

    def fixed(self, knob: str) -> bool:
        """Whether a link holds this knob where it is."""
        return knob in self.locked or knob in self.hidden

    def set(self, knob: str, value: Any) -> None:
        """Turn a knob from code before it is drawn, as when the learner has clicked a head in a
        picture; a locked knob stays where it is."""
        if knob in self.locked:
            return
        st.session_state[f"{self.lab}.{knob}"] = value
        st.session_state.pop(f"{self.lab}.{knob}@{self.words.language}", None)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Knobs asked for in here keep their values, and their place in the link, without being drawn:
        those of another part of the experiment."""
        self.drawing = False
        try:
            yield
        finally:
            self.drawing = True

    # What all kinds share.

    def _knob(
        self, knob: str, default: Any, parse: Callable[[str], Any],
        clamp: Callable[[Any], Any], draw: Callable[..., Any],
        encode: Callable[[Any], str] = str,
    ) -> Any:  # fmt: skip
        slot = f"{self.lab}.{knob}"
        widget_key = f"{slot}@{self.words.language}"
        state = st.session_state
        if knob in self._incoming:
            state.pop(widget_key, None)
            try:
                state[slot] = parse(self._incoming.pop(knob))
            except (ValueError, KeyError, OverflowError):
                state[slot] = default
                self.rejected.append(knob)
        value = clamp(state.get(widget_key, state.get(slot, default)))
        if self.drawing and knob not in self.hidden:
            if state.get(widget_key) != value:
                state[widget_key] = value
            # subtle: the browser is told a value set in the session once. If the page runs again before it
            # has loaded the widget, all that is left is the widget's own start, so that is the value too.
            drawn = draw(
                widget_key,
                self.words(f"knob.{knob}"),
                value,
                help=self.words.find(f"knob.{knob}.help"),
                disabled=knob in self.locked,
            )
            value = clamp(default if drawn is None else drawn)
        state[slot] = value
        return self._keep(knob, value, default, encode)

    def _keep(self, knob: str, value: Any, default: Any, encode: Callable[[Any], str] = str) -> Any:
        self.values[knob] = value
        self.defaults[knob] = default
        text = encode(value)
        if value == default or len(text) > URL_TEXT_LIMIT:
            _write(knob, None)
        else:
            _write(knob, text)
        return value


def _names(parameter: str) -> frozenset[str]:
    return frozenset(filter(None, st.query_params.get(parameter, "").split(",")))


_WRITTEN = "url.written"  # what this session last wrote, so that anything else is a link


def _incoming(lab: str) -> dict[str, str]:
    """The knobs that a link brings: what the URL holds and this session has not written itself."""
    written = st.session_state.setdefault(_WRITTEN, {})
    present = {
        name: value for name, value in st.query_params.items() if name not in FRAME_PARAMETERS
    }
    incoming = {name: value for name, value in present.items() if written.get(name) != value}
    written.clear()
    written.update(present)
    return incoming


def _write(name: str, value: str | None) -> None:
    """Put a parameter into the URL, or take it out; untouched if nothing changes."""
    written = st.session_state.setdefault(_WRITTEN, {})
    if value is None:
        written.pop(name, None)
        if name in st.query_params:
            del st.query_params[name]
    else:
        written[name] = value
        if st.query_params.get(name) != value:
            st.query_params[name] = value


def forget_knobs() -> None:
    """Clear the last lab's knobs from the URL when the learner goes to another lab."""
    for name in list(st.query_params):
        if name not in FRAME_PARAMETERS:
            _write(name, None)


def start_afresh(lab: str) -> None:
    """Take every knob of a lab back to its default, so that the link that follows sets all of them."""
    for key in list(st.session_state):
        if re.fullmatch(rf"{re.escape(lab)}\.(?!facet)\w+(@\w+)?", str(key)):
            del st.session_state[key]
    st.session_state.pop(_WRITTEN, None)
