"""Part 2: one text, three models, each with its own question and its own floor."""

import streamlit as st

from app.charts import families as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import families_text as lab
from labcore.architecture.families_text import TextConfig, TextResult
from labcore.architecture.prompt import language_of


def draw(page: LabPage) -> None:
    text = page.text_area("text", page.text("default.text"), lab.MOST_CHARACTERS)
    source = ""
    if language_of(text) == "zh":
        source = page.text_area("english", page.text("default.english"), lab.MOST_CHARACTERS)
    for name in ("world-decoder", "world-encoder", "world-translator"):
        page.model(name)
    config = TextConfig(text, source)
    result = page.run(lab.run, config)
    if result.dropped_tokens:
        page.caption("cut.text", most=lab.MOST_TOKENS, dropped=result.dropped_tokens)
    guess = page.predict("sides", options=("decoder", "encoder", "same"))
    page.figure(charts.means(result, page.text), COMPUTED, "means")
    page.reveal(guess, lower(result))
    if cell := page.clicked("surprise"):
        page.controls.set("place", str(cell["column"]))
    page.figure(charts.surprise(result, page.text), COMPUTED, "surprise")
    number = pick_place(page, result)
    page.figure(charts.answers(result, number, page.text), COMPUTED, "answers")
    draw_translation(page, result)
    draw_looks(page, result)
    page.offer_notebook(*notebook(config))


def lower(result: TextResult) -> str:
    """Which of the two pays less per token of this text."""
    decoder, encoder = result.decoder.mean_nats, result.encoder.mean_nats
    if abs(decoder - encoder) < 0.05 * decoder:
        return "same"
    return "decoder" if decoder < encoder else "encoder"


def pick_place(page: LabPage, result: TextResult) -> int:
    """The token asked for; at first the one for which the right side helps most."""
    gain = result.decoder.nats - result.encoder.nats
    places = [str(number) for number in range(len(result.asked))]
    return int(
        page.choice(
            "place", places, str(int(gain.argmax())), style="select",
            label=lambda number: f"{number} · {result.labels[result.asked[int(number)]]}",
        )
    )  # fmt: skip


def draw_translation(page: LabPage, result: TextResult) -> None:
    """What the encoder-decoder makes of the text; shown as text and nothing else."""
    translation = result.translation
    st.markdown(f"**{page.text('translation.title')}**")
    st.code(translation.text or " ", language=None, wrap_lines=True)
    if translation.possible:
        page.caption("translation.possible")
    elif translation.known_source:
        page.caption("translation.wrong")
    else:
        page.caption("translation.unknown")


def draw_looks(page: LabPage, result: TextResult) -> None:
    """The three kinds of attention side by side."""
    st.subheader(page.text("looks.title"), anchor=False)
    layer = page.slider("depth", 0, max(map(len, result.maps.values())) - 1, 1)
    for column, kind in zip(st.columns(3), ("encoder", "decoder", "cross"), strict=True):
        with column:
            page.figure(charts.look(result, kind, layer, page.text), COMPUTED, f"look_{kind}")


def notebook(config: TextConfig) -> tuple[str, ...]:
    return (
        "from labcore.architecture import families_text as lab\n\n"
        f"result = lab.run(lab.{config!r})\n"
        "import pandas as pd\n\n"
        "pd.DataFrame(\n"
        '    {"token": [result.labels[i] for i in result.asked],\n'
        '     "decoder": result.decoder.nats, "exact, left": result.decoder_exact.nats,\n'
        '     "encoder": result.encoder.nats, "exact, both": result.encoder_exact.nats}\n'
        ").round(2)",
        "print(result.translation.text, result.translation.possible)",
    )
