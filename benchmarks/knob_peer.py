"""The barest page that shows one lab's picture: its knob, its picture, nothing else, nothing computed.

`streamlit run benchmarks/knob_peer.py`, then `?lab=probability`. The first run of the page lets the lab draw
itself on a page that keeps the figures instead of showing them, once for every place of the knob; from
then on the page is a widget and a look-up. The figure is drawn by the lab's own `figures.draw`.
"""

import streamlit as st

from app import catalog, figures
from app.i18n import Words
from app.page import LabPage
from benchmarks.knob_rows import ROWS


class Keeping(LabPage):
    """A lab's page on which figures are kept, and the one knob's widget is noted."""

    def __init__(self, lab, words, knob):
        super().__init__(lab, words)
        self.kept, self.knob, self.asked = {}, knob, None
        self.slider, self.choice = self._noting("slider"), self._noting("choice")

    def _noting(self, kind):
        draw = getattr(self.controls, kind)

        def noted(knob, *arguments, **named):
            value = draw(knob, *arguments, **named)
            if knob == self.knob:
                self.asked = (kind, arguments, named, value)
            return value

        return noted

    def figure(self, figure, source, key, title=None):
        self.kept[key] = figure

    def job(self, run, config, draw):
        draw(None)


@st.cache_resource
def ready(lab):
    """{place of the knob: figure}, filled one run of the page at a time; and the knob's own widget."""
    return {"figures": {}, "widget": None, "values": None}


def places(kind, arguments, named, value, steps):
    """The values that the knob takes on its way, from where the lab opens."""
    way = range(0, steps + (1 if steps > 0 else -1), 1 if steps > 0 else -1)
    if kind == "slider":
        step = arguments[3] if len(arguments) > 3 else named.get("step", 1)
        return [round(value + place * step, 10) for place in way]
    options = list(arguments[0] if arguments else named["options"])
    return [options[(options.index(value) + place) % len(options)] for place in way]


row = next(row for row in ROWS if row.lab == st.query_params["lab"])
held = ready(row.lab)
missing = [v for v in held["values"] or [None] if v not in held["figures"]]
if missing:
    with st.empty().container():
        page = Keeping(catalog.LABS[row.lab], Words("en"), row.knob)
        if missing[0] is not None:
            page.controls.set(row.knob, missing[0])
        catalog.LABS[row.lab].module().experiment(page)
    if held["values"] is None:
        held["widget"] = page.asked
        held["values"] = places(*page.asked, row.steps)
        held["figures"][page.asked[3]] = page.kept[row.figure]
    else:
        held["figures"][missing[0]] = page.kept[row.figure]
    st.rerun()

kind, arguments, named, start = held["widget"]
key = "knob"
if kind == "slider":
    low, high, _, *step = arguments
    value = st.slider("knob", low, high, start, (step or [named.get("step", 1)])[0], key=key)
else:
    options = arguments[0] if arguments else named["options"]
    style = named.get("style") or (arguments[2] if len(arguments) > 2 else "segmented")
    draw = {"slide": st.select_slider, "select": st.selectbox, "pills": st.pills,
            "segmented": st.segmented_control}[style]  # fmt: skip
    if style == "select":
        value = draw("knob", list(options), list(options).index(start), key=key)
    elif style == "slide":
        value = draw("knob", list(options), start, key=key)
    else:
        value = draw("knob", list(options), default=start, key=key)
figures.draw(held["figures"][value], key=f"{row.lab}.figure.{row.figure}")
