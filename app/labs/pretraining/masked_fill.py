"""Part 2: blanks wherever the learner likes, filled by the bundled encoder and by the exact answer."""

import math

import streamlit as st

from app.charts import masked as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture.build_train_corpus import world
from labcore.pretraining import masked_blanks
from labcore.pretraining import masked_fill as lab
from labcore.pretraining.masked_fill import FillConfig, FillResult

READ = "masked.read"  # in the session: the sentence that the table on show was made of


def draw(page: LabPage) -> None:
    if (cell := page.clicked("blanks")) and READ in st.session_state:
        place = cell["column"] - lab.OPENING
        told = masked_blanks.toggled(st.session_state[READ], place, world().tokenizer)
        page.controls.set("sentence", told)
    sentence = page.text_area("sentence", page.text("default.sentence"), lab.MOST_CHARACTERS)
    page.caption("blanks.how")
    page.model(lab.MODEL)
    st.session_state[READ] = sentence.strip()
    result = page.run(lab.run, FillConfig(sentence))
    if result.dropped_tokens:
        page.caption("cut.text", most=lab.MOST_TOKENS, dropped=result.dropped_tokens)
    guess = page.predict("agree", options=("told", "clash"))
    page.figure(charts.blanks(result, page.text), COMPUTED, "blanks")
    if len(result.gaps) > lab.MOST_EXACT:
        page.caption("exact.many", most=lab.MOST_EXACT)
    if result.gaps:
        one_blank(page, result)
        both_ways(page, result)
        if sentence == page.text("default.sentence"):
            page.reveal(guess, "told" if result.at_once_told else "clash")
    else:
        page.caption("blanks.none")
    page.figure(charts.surprise(result, page.text), COMPUTED, "surprise")
    page.caption("surprise.total", total=f"{-result.score.sum():.2f}")
    page.offer_notebook(*notebook(FillConfig(sentence)))


def one_blank(page: LabPage, result: FillResult) -> None:
    numbers = [str(number) for number in range(len(result.gaps))]
    number = int(
        page.choice(
            "blank", numbers, "0", style="pills",
            label=lambda n: f"{int(n) + 1} · {name_of(page, result, int(n))}",
        )
    )  # fmt: skip
    page.figure(charts.candidates(result, number, page.text), COMPUTED, "candidates")
    told = {
        "model": math.exp(result.entropy_model[number]),
        "exact": math.exp(result.entropy_exact[number]),
    }
    key = "open.both" if math.isfinite(told["exact"]) else "open.model"
    page.caption(key, **{name: f"{value:.1f}" for name, value in told.items()})


def name_of(page: LabPage, result: FillResult, number: int) -> str:
    place = result.gaps[number]
    return page.text("blank") if place in result.unknown else result.labels[place]


def both_ways(page: LabPage, result: FillResult) -> None:
    """All blanks at once, and one after the other; shown as text and nothing else."""
    st.subheader(page.text("ways.title"), anchor=False)
    for way, column in zip(("at_once", "one_by_one"), st.columns(2), strict=True):
        with column:
            st.markdown(f"**{page.text(f'ways.{way}')}**")
            st.code(getattr(result, way) or " ", language=None, wrap_lines=True)
            told = getattr(result, f"{way}_told")
            page.caption("ways.told" if told else "ways.not_told")
    order = page.text("list.arrow").join(f"{step.label} {step.prob:.2f}" for step in result.steps)
    st.text(page.text("ways.order", order=order))


def notebook(config: FillConfig) -> tuple[str, ...]:
    return (
        f"from labcore.pretraining import masked_fill as lab\n\nresult = lab.run(lab.{config!r})",
        "import pandas as pd\n\n"
        "pd.DataFrame(result.model, index=[result.labels[place] for place in result.gaps])",
        "print(result.candidates)\nprint(result.at_once, result.at_once_told)\n"
        "print(result.one_by_one, result.one_by_one_told)",
    )
