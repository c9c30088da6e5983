"""The seventh stage: a vocabulary grows before the learner's eyes, and spells a text of the learner's."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.charts import data as charts
from app.job import JobView
from app.labs.pretraining.data_knobs import Settings
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore import zoo
from labcore.pretraining import vocabulary as lab
from labcore.pretraining.vocabulary import (
    BASE,
    LanguageStudy,
    Spelling,
    VocabularyConfig,
    VocabularyResult,
)

LEARNT = (
    "data.merges"  # in the session: the last vocabulary that this learner trained, for the rows
)
TEXT_LIMIT = 400
NEWS_SHOWN = 12
DEFAULT = VocabularyConfig()
ONLY_BYTES = "bytes"


def draw(page: LabPage, settings: Settings) -> None:
    config = settings.vocabulary
    guess = page.predict("foreign", low=0.5, high=4.0, step=0.1, unit=page.text("unit.bytes"))
    page.job(lab.grow, config, lambda view: picture(page, config, view))
    if guess is not None or LEARNT in st.session_state:
        between_languages(page, guess)


def picture(page: LabPage, config: VocabularyConfig, view: JobView | None) -> None:
    """The vocabulary as far as it has grown; before any run the recorded one."""
    if view is None:
        recording = page.recording("default", VocabularyResult)
        page.caption("job.recorded" if config == DEFAULT else "press_run")
        finished(page, recording.result, recording.provenance)
    elif view.result is not None:
        st.session_state[LEARNT] = view.result.merges.tobytes()
        finished(page, view.result, MEASURED)
    elif view.events:
        growing(page, config, view.events)


def growing(page: LabPage, config: VocabularyConfig, events: Sequence[lab.Growth]) -> None:
    last = events[-1]
    figure = charts.compression(last.sizes, last.bytes_per_token, config.vocab_size, page.text)
    page.figure(figure, MEASURED, "compression")
    page.caption("news", size=f"{last.size:,}")
    newest(page, [piece for event in events[-NEWS_SHOWN:] for piece in event.news][-NEWS_SHOWN:])


def newest(page: LabPage, news: Sequence[tuple[str, str, str, int]]) -> None:
    names = [page.text(f"column.{name}") for name in ("left", "right", "token", "count")]
    st.dataframe(pd.DataFrame(list(reversed(news)), columns=names), hide_index=True)


def finished(page: LabPage, result: VocabularyResult, source: Provenance) -> None:
    """How well each size compresses; then the learner's own text under each of them."""
    study = page.recording("languages", LanguageStudy)
    figure = charts.compression(
        result.sizes, result.bytes_per_token, int(result.sizes[-1]), page.text, study.result
    )
    page.figure(figure, source, "compression")
    page.caption(
        "vocabulary.broken", broken=int(result.broken[-1]), merges=len(result.merges),
        size=f"{int(result.sizes[-1]):,}",
    )  # fmt: skip
    st.subheader(page.text("spell"), anchor=False)
    typed = page.text_area("text", page.text("default.text"), TEXT_LIMIT, lines=3)
    if not typed:
        page.caption("spell.empty")
        return
    sizes = [ONLY_BYTES, *(str(size) for size in result.sizes[1:])]
    size = page.choice(
        "size", sizes, sizes[-1], style="slide",
        label=lambda value: page.text("only_bytes") if value == ONLY_BYTES else value,
    )  # fmt: skip
    tokenizer = result.tokenizer(BASE if size == ONLY_BYTES else int(size))
    spelling = lab.spell(typed, tokenizer)
    page.figure(charts.tokens(spelling, page.text), COMPUTED, "tokens")
    page.caption("spell.count", **counted(typed, spelling))
    published(page, typed, spelling)


def counted(typed: str, spelling: Spelling) -> dict[str, object]:
    return {
        "tokens": len(spelling.labels), "characters": len(typed),
        "bytes": int(spelling.lengths.sum()), "ratio": f"{spelling.bytes_per_token:.2f}",
        "broken": int(spelling.broken.sum()),
    }  # fmt: skip


def published(page: LabPage, typed: str, own: Spelling) -> None:
    """The same text in the tokens of published models, where they are on this machine."""
    there = [name for name in zoo.real_names() if zoo.is_at_hand(name)]
    if not there:
        page.caption("published.none")
        return
    if not page.toggle("published", False):
        return
    spelt = {page.text("published.own"): own}
    for name in there:
        spelt[page.text(f"model.{name}")] = lab.spell(typed, page.model(name).tokenizer)
    for (title, spelling), name in zip(list(spelt.items())[1:], there, strict=True):
        page.figure(charts.tokens(spelling, page.text), COMPUTED, f"tokens_{name}", title=title)
    st.dataframe(
        pd.DataFrame(
            {
                page.text("column.tokenizer"): list(spelt),
                page.text("column.vocabulary"): [one.vocab_size for one in spelt.values()],
                page.text("column.tokens"): [len(one.labels) for one in spelt.values()],
                page.text("column.bytes"): [
                    round(len(typed.encode(errors="replace")) / max(1, len(one.labels)), 2)
                    for one in spelt.values()
                ],
            }
        ),
        hide_index=True,
    )
    page.caption("published.about")


def between_languages(page: LabPage, guess: Guess | None) -> None:
    """Nine recorded tokenizers: what each language costs one that never saw it."""
    study = page.recording("languages", LanguageStudy)
    page.figure(charts.languages(study.result, page.text), study.provenance, "languages")
    english = study.result.trained_on.index("en")
    page.reveal(guess, float(study.result.bytes_per_token[english, :, -1, 0].mean()))
