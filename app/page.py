"""`LabPage`: what a lab draws on. Knobs, figures with their badge, runs, and what goes home."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import streamlit as st

from app import controls, i18n, models, notebook, prediction, provenance, results, running, share
from app.catalog import LabSpec
from app.errors import guarded, say_error
from app.figures import Figure, draw
from app.i18n import Words
from app.job import JobView
from app.literal import csv
from app.provenance import Provenance
from labcore.errors import LabInputError
from labcore.zoo import LoadedModel

Result = TypeVar("Result")


class LabPage:
    """One lab in one run of the page. See ARCHITECTURE.md, "A lab's screen"."""

    def __init__(self, lab: LabSpec, words: Words):
        self.lab = lab
        self.text = Words(words.language, lab.id)
        self.controls = controls.Controls(lab.id, self.text)
        knobs = self.controls
        self.slider, self.number, self.toggle = knobs.slider, knobs.number, knobs.toggle
        self.choice, self.text_area = knobs.choice, knobs.text
        self._tables: dict[str, Figure] = {}
        self._code: Sequence[str] = ()

    # Computing.

    def run(self, run: Callable[[Any], Result], config: Any) -> Result:
        """A light computation; everybody who asks for the same config shares the result."""
        return results.cached(run, config)

    def model(self, name: str) -> LoadedModel:
        """A model of the zoo; while it is being fetched, how far that is."""
        return models.obtain(name, self.text)

    def job(
        self, run: Callable[[Any], Generator], config: Any, draw: Callable[[JobView | None], None]
    ) -> None:
        """A background run of `config`, pictured by `draw`; see `running.panel`."""
        running.panel(self.lab.id, self.text, run, config, draw)

    def recording(self, name: str, kind: type[Result]) -> results.Recording:
        """The recorded result `assets/recordings/<lab>-<name>.safetensors`."""
        return recorded(self.lab.id, name, kind)

    # Showing.

    def part(self, draw: Callable[..., None], *arguments: Any) -> None:
        """A piece of the experiment that `draw(*arguments)` draws: a knob in it redraws this piece alone.

        For knobs that nothing outside asks for, as the moment of a finished run that is looked at. No
        predictions in here: their marks are kept with the whole experiment.
        """

        @st.fragment
        def piece() -> None:
            with guarded(self.text):
                draw(*arguments)

        piece()

    def figure(self, figure: Figure, source: Provenance, key: str, title: str | None = None) -> Any:
        """Draw a figure with its title `figure.<key>`, its badge, its caption and its table.

        Gives back what the learner selected in it, if the figure reports that.
        """
        title = title or self.text(f"figure.{key}")
        self._tables[title] = figure
        with st.container(key=f"{self.lab.id}-figure-{key}", gap="small"):
            # One element, not three: a browser renders every element of an experiment at every turn.
            self.badge(source, f"**{title}** ")
            selected = draw(figure, key=f"{self.lab.id}.figure.{key}")
            if caption := self.text.find(f"figure.{key}.caption"):
                st.caption(caption)
            # Built and sent when opened: a layer's table is many times larger than its picture.
            with st.popover(
                self.text("figure.table"), icon=":material/table:", type="tertiary",
                key=f"{self.lab.id}.{key}.table", on_change="rerun",
            ) as table:  # fmt: skip
                if table.open:
                    st.caption(figure.alt)
                    st.dataframe(figure.data(), hide_index=True)
        return selected

    def clicked(self, key: str) -> Any:
        """What the learner has chosen in the figure `key` since the last run, else None.

        Ask before drawing the knobs that the choice turns (`controls.set`); no second run is needed.
        """
        slot = f"{self.lab.id}.figure.{key}"
        chosen = (st.session_state.get(slot) or {}).get("selection")
        if chosen == st.session_state.get(f"{slot}.taken"):
            return None
        st.session_state[f"{slot}.taken"] = chosen
        return chosen

    def badge(self, source: Provenance, title: str = "") -> None:
        """Where the numbers come from, in a word; the rest on hover. `title`: Markdown before it."""
        detail = self.text(f"provenance.{source.kind}.about")
        if source.kind == "recorded":
            detail = f"{detail} `{source.command}` · {source.date} · seed {source.seed} · {source.machine}"
        elif source.kind == "published":
            detail = f"{detail} {source.date}"
        label = self.text(f"provenance.{source.kind}")
        icon, colour = provenance.ICONS[source.kind], provenance.COLOURS[source.kind]
        st.markdown(f"{title}:{colour}-badge[{icon} {label}]", help=detail, width="content")

    def caption(self, key: str, **numbers: object) -> None:
        """A sentence on what to look for."""
        st.caption(self.text(key, **numbers))

    def predict(self, id: str, **question: Any) -> prediction.Guess | None:
        """Ask for a guess before the run; see `prediction.ask`."""
        return prediction.ask(self.lab.id, id, self.text, **question)

    def reveal(self, guess: prediction.Guess | None, truth: str | float, tolerance=0.1) -> None:
        """Score the guess by what came out."""
        prediction.score(self.text, guess, truth, tolerance)

    def guess_first(self, id: str, options: Sequence[str], truth: str) -> bool:
        """Ask for a guess at what stands recorded and score it; whether the picture may be shown.

        Whoever would rather look than guess turns the knob `unveil`.
        """
        guess = self.predict(id, options=options)
        self.reveal(guess, truth)
        return guess is not None or self.toggle("unveil", False)

    def error(self, error: LabInputError) -> None:
        """A learner's value that a lab cannot use, beside the knob it belongs to."""
        say_error(self.text, error)

    # Taking home.

    def offer_notebook(self, *code: str) -> None:
        """The code cells of "Download as notebook": they repeat this experiment with labcore."""
        self._code = code

    def finish(self) -> None:
        """The row below the experiment: link, data, notebook; and what a link got wrong."""
        for knob in self.controls.rejected:
            st.warning(self.text("link.rejected", knob=self.text(f"knob.{knob}")))
        with st.container(horizontal=True, key=f"{self.lab.id}-take-home"):
            self._share()
            if "classroom" in st.session_state:  # imported here: a database few sessions need
                from app.classroom import offer

                offer.draw(self.lab.chapter, self.lab.id, self.text.language)
            if self._tables:
                self._data()
            if self._code:
                self._notebook()

    def _share(self) -> None:
        # What is in the two popovers is sent when they are opened: it would be sent again with every
        # turn of a knob. A teacher's choice of locks is read by the offer beside it, so it stays.
        with st.popover(
            self.text("share.link"), icon=":material/link:", key=f"{self.lab.id}.link.popover",
            on_change="rerun",
        ) as popover:  # fmt: skip
            if not popover.open and "classroom" not in st.session_state:
                return
            knobs = list(self.controls.values)
            name = dict.fromkeys(knobs) | {knob: self.text(f"knob.{knob}") for knob in knobs}
            st.caption(self.text("share.about"))
            chosen = [
                st.multiselect(
                    self.text(f"share.{what}"), knobs, format_func=name.get,
                    placeholder=self.text("share.none"),
                    key=f"{self.lab.id}.share.{what}@{self.text.language}",
                )
                for what in ("lock", "hide")
            ]  # fmt: skip
            st.code(self._link(*chosen), language=None, wrap_lines=True)

    def _link(self, lock: Sequence[str] = (), hide: Sequence[str] = ()) -> str:
        query = st.query_params.to_dict()
        query.pop("class", None)  # whom a lab is shown to does not come along
        return share.link(st.context.url or "", query, lock, hide)

    def _data(self) -> None:
        with st.popover(
            self.text("share.data"), icon=":material/download:", key=f"{self.lab.id}.tables.popover",
            on_change="rerun",
        ) as popover:  # fmt: skip
            if not popover.open:
                return
            for number, title in enumerate(self._tables):
                st.download_button(  # looked up when asked for: a part may have drawn it again
                    f"{title} (CSV)", lambda title=title: csv(self._tables[title].data()), on_click="ignore",
                    file_name=f"{self.lab.id}-{number + 1}.csv", mime="text/csv",
                    key=f"{self.lab.id}.csv.{number}", type="tertiary",
                )  # fmt: skip

    def _notebook(self) -> None:
        principle = i18n.prose(self.text.language, f"{self.lab.chapter}/{self.lab.id}")["principle"]
        st.download_button(
            self.text("share.notebook"),
            lambda: notebook.build(
                self.text(f"lab.{self.lab.id}"), principle, self._link(), self._code
            ),
            file_name=f"{self.lab.id}.ipynb", mime="application/x-ipynb+json",
            icon=":material/book_2:", on_click="ignore", key=f"{self.lab.id}.notebook",
        )  # fmt: skip


@st.cache_resource(max_entries=16, show_spinner=False)
def recorded(lab: str, name: str, kind: type[Result]) -> results.Recording:
    return results.load(results.RECORDINGS / f"{lab}-{name}.safetensors", kind)
