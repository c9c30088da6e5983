"""The knobs of a search: whose documents, which question, what pieces. Uploads are read here, and refused."""

from dataclasses import replace

import streamlit as st

from app.model_picker import is_here
from app.page import LabPage
from labcore.errors import LabInputError
from labcore.retrieval import embedding
from labcore.retrieval.finding import LIMITS, MOST_QUESTION, FindConfig
from labcore.retrieval.library import LANGUAGES, Document, bundled
from labcore.retrieval.own_documents import MOST_CHARACTERS, checked, read_file, read_typed

OWN = "own"
DEFAULT = FindConfig()
UPLOAD = "retrieval.upload"


def find_config(page: LabPage, top: int | None = None) -> FindConfig:
    """The search that the knobs ask for, for `top` pieces if that is settled already.

    Raises LabInputError for what cannot be used.
    """
    library = page.choice("library", (*LANGUAGES, OWN), LANGUAGES[0])
    own = own_documents(page) if library == OWN else ()
    question = question_knob(page, library)
    columns = st.columns(3 if top is None else 2)
    with columns[0]:
        words = page.slider("chunk_words", *LIMITS["chunk_words"], DEFAULT.chunk_words, 5)
    with columns[1]:
        overlap = page.slider("overlap", *LIMITS["overlap"], DEFAULT.overlap, 5)
    if top is None:
        with columns[2]:
            top = page.slider("top", *LIMITS["top"], DEFAULT.top)
    meaning = is_here(page, embedding.MODEL, "model")
    return FindConfig(question, library, own, words, overlap, top, meaning)


def question_knob(page: LabPage, library: str) -> str:
    """One of the library's questions, or the learner's."""
    if library == OWN:
        return page.text_area(
            "question_own", page.text("default.question_own"), MOST_QUESTION, lines=1
        )
    questions = [question.text for question in bundled(library).questions]
    options = [*(str(number) for number in range(len(questions))), OWN]
    chosen = page.choice(
        f"example_{library}", options, "1", style="select",
        label=lambda one: page.text("question.own") if one == OWN else questions[int(one)],
    )  # fmt: skip
    if chosen != OWN:
        return questions[int(chosen)]
    return page.text_area(f"question_{library}", questions[0], MOST_QUESTION, lines=1)


def own_documents(page: LabPage) -> tuple[Document, ...]:
    """The files if there are some, else what stands in the box; together they must not be too much."""
    files = st.file_uploader(
        page.text("upload"), type=["txt", "md"], accept_multiple_files=True, key=UPLOAD,
        help=page.text("upload.help"),
    )  # fmt: skip
    documents = []
    for file in files or ():
        try:
            documents.append(read_file(file.name, file.getvalue()))
        except LabInputError as error:
            page.error(error)
    typed = page.text_area("own", page.text("default.own"), MOST_CHARACTERS, lines=7)
    return checked(documents or read_typed(typed))


def asked(config: FindConfig) -> FindConfig:
    """The same search for all questions of the library: which one is asked does not matter."""
    return replace(config, question=DEFAULT.question)
