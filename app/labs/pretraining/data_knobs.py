"""The knobs of the data pipeline: only those of the stage at hand are drawn, all of them count."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import streamlit as st

from app.page import LabPage
from labcore.pretraining import sources
from labcore.pretraining.packing_study import ROW_TOKENS
from labcore.pretraining.pipeline import (
    COMPARISONS,
    PERMUTATIONS,
    ContaminationConfig,
    NearConfig,
    PipelineConfig,
)
from labcore.pretraining.sources import OWN_TEXT_LIMIT, SourceConfig, documents_in
from labcore.pretraining.training_text import TrainingTextConfig
from labcore.pretraining.vocabulary import TRAINED_ON, VocabularyConfig
from labcore.text.cleaning import FORMS, LANGUAGES, FilterConfig, NormaliseConfig, phrases
from labcore.text.evaluation_sets import has_humaneval
from labcore.text.packing import METHODS

TYPED_LIMIT = 20_000  # characters in the text box; a file may hold more
UPLOAD = "data.upload"  # in the session: the documents of the learner's file
VOCABULARIES = ("512", "1024", "2048", "4096")
ROWS_OF_TOKENS = tuple(str(n) for n in (32, 64, 128, 256, 512, 1024) if n <= ROW_TOKENS[1])
BAND_ROWS = ("1", "2", "4", "8", "16", "32")
DEFAULT = PipelineConfig()
STEPS = ("repair", "markup", "form", "spaces", "private")


@dataclass(frozen=True, slots=True)
class Settings:
    pipeline: PipelineConfig
    vocabulary: VocabularyConfig
    method: str
    row_tokens: int

    def training_text(self) -> TrainingTextConfig:
        """What the labs to come train on."""
        return TrainingTextConfig(
            self.pipeline, self.vocabulary.vocab_size, self.row_tokens, self.method
        )


def read(page: LabPage, stage: str) -> Settings:
    """All knobs, in the order of the stages; those of other stages keep what they were set to."""

    def of(name: str, knobs):
        if name == stage:
            return knobs(page)
        with page.controls.aside():
            return knobs(page)

    pipeline = PipelineConfig(
        of("source", source), of("normalise", normalise), of("filter", filtering),
        of("exact", exact), of("near", near), of("contamination", contamination),
    )  # fmt: skip
    vocab_size, trained_on, whole = of("tokenise", tokenise)
    method, row_tokens = of("pack", pack)
    return Settings(
        pipeline, VocabularyConfig(pipeline, vocab_size, trained_on, whole), method, row_tokens
    )


def columns(page: LabPage, count: int) -> list[AbstractContextManager]:
    """Columns for knobs that are drawn, nothing for those that are not."""
    return st.columns(count) if page.controls.drawing else [nullcontext()] * count


def more(page: LabPage, stage: str) -> AbstractContextManager:
    if not page.controls.drawing:
        return nullcontext()
    return st.expander(page.text("more"), key=f"data-more-{stage}")


def source(page: LabPage) -> SourceConfig:
    there = sources.available()
    name = page.choice("source", there, "mixed" if "mixed" in there else "world")
    if name == "own":
        kilobytes = DEFAULT.source.kilobytes
    else:
        kilobytes = page.slider("kilobytes", 10, 400, DEFAULT.source.kilobytes, 10)
    own = own_documents(page) if name == "own" else ()
    with more(page, "source"):
        planted = page.toggle("planted", True)
        seed = page.number("seed", 0, 9999, 0)
    return SourceConfig(name, kilobytes, own, planted, seed)


def own_documents(page: LabPage) -> tuple[str, ...]:
    """The learner's file if there is one, else what stands in the box."""
    if page.controls.drawing:
        _bring(page)
    brought = st.session_state.get(UPLOAD, "")
    typed = page.text_area("own_text", page.text("default.own_text"), TYPED_LIMIT, lines=7)
    return documents_in((brought or typed)[:OWN_TEXT_LIMIT])


def _bring(page: LabPage) -> None:
    file = st.file_uploader(
        page.text("upload"), type=["txt", "md", "jsonl"], key="data.upload.file",
        help=page.text("upload.help"),
    )  # fmt: skip
    if file is not None:
        st.session_state[UPLOAD] = file.getvalue()[: 4 * OWN_TEXT_LIMIT].decode(errors="replace")
        if len(st.session_state[UPLOAD]) > OWN_TEXT_LIMIT:
            page.caption("upload.cut", limit=f"{OWN_TEXT_LIMIT:,}")
    if UPLOAD in st.session_state:  # the uploader forgets its file when another stage is drawn
        st.button(
            page.text("upload.forget", characters=f"{len(st.session_state[UPLOAD]):,}"),
            key="data.upload.forget", type="tertiary", icon=":material/close:",
            on_click=_forget,
        )  # fmt: skip


def _forget() -> None:
    for key in (UPLOAD, "data.upload.file"):
        st.session_state.pop(key, None)


def normalise(page: LabPage) -> NormaliseConfig:
    left, right = columns(page, 2)
    with left:
        form = page.choice("form", FORMS, "NFC")
        repair = page.toggle("repair", True)
        markup = page.toggle("markup", True)
    with right:
        spaces = page.toggle("spaces", True)
        private = page.toggle("private", True)
    return NormaliseConfig(form, repair, markup, spaces, private)


def filtering(page: LabPage) -> FilterConfig:
    left, right = columns(page, 2)
    with left:
        least = page.slider("least_characters", 0, 300, DEFAULT.filter.least_characters, 5)
        symbols = page.slider("most_symbols", 0.0, 1.0, DEFAULT.filter.most_symbols, 0.01)
        repeated = page.slider("most_repeated", 0.0, 1.0, DEFAULT.filter.most_repeated, 0.01)
    with right:
        languages = page.choice("languages", LANGUAGES, "both")
        blocked = page.text_area("blocked", "", 1000, lines=4)
    return FilterConfig(least, round(symbols, 2), round(repeated, 2), languages, phrases(blocked))


def exact(page: LabPage) -> str:
    return page.choice("exact", COMPARISONS, DEFAULT.exact)


def near(page: LabPage) -> NearConfig:
    left, right = columns(page, 2)
    with left:
        rows = int(page.choice("rows", BAND_ROWS, "4", style="slide", label=str))
        most = PERMUTATIONS // rows
        bands = page.slider("bands", 1, most, most)
    with right:
        threshold = page.slider("threshold", 0.3, 1.0, DEFAULT.near.threshold, 0.05)
        wanted = page.toggle("near_on", True)
    with more(page, "near"):
        shingle = page.slider("shingle", 1, 12, DEFAULT.near.shingle)
        seed = page.number("hash_seed", 0, 9999, 0)
    return NearConfig(shingle, bands if wanted else 0, rows, round(threshold, 2), seed)


def contamination(page: LabPage) -> ContaminationConfig:
    there = ("humaneval", "own", "none") if has_humaneval() else ("own", "none")
    left, right = columns(page, 2)
    with left:
        evaluation = page.choice("evaluation", there, there[0])
    with right:
        gram = page.slider("gram", 2, 20, DEFAULT.contamination.gram)
    own = ""
    if evaluation == "own":
        own = page.text_area("own_test", page.text("default.own_test"), 5000, lines=4)
    return ContaminationConfig(evaluation, own, gram)


def tokenise(page: LabPage) -> tuple[int, str, bool]:
    left, right = columns(page, 2)
    with left:
        size = page.choice("vocab_size", VOCABULARIES, "4096", style="slide", label=str)
    with right:
        on = page.choice("trained_on", TRAINED_ON, "both")
    with more(page, "tokenise"):
        whole = page.toggle("whole_characters", False)
    return int(size), on, whole


def pack(page: LabPage) -> tuple[str, int]:
    left, right = columns(page, 2)
    with left:
        method = page.choice("method", METHODS, "fit")
    with right:
        tokens = page.choice("row_tokens", ROWS_OF_TOKENS, "128", style="slide", label=str)
    return method, int(tokens)
