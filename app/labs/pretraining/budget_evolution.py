"""The designs: from GPT-2 to DeepSeek-V3, or one skeleton changed step by step."""

import streamlit as st

from app.charts import evolution as charts
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.distributed.cluster import DEVICES
from labcore.scaling import decoding, evolution
from labcore.scaling.decoding import DecodingConfig
from labcore.scaling.evolution import SETS, EvolutionConfig, Row

CONTEXTS = tuple(str(2**k) for k in range(8, 21))  # 256 to 1,048,576 tokens
BATCHES = tuple(str(2**k) for k in range(11))  # 1 to 1,024 sequences
BITS = ("16", "8", "4")
REFERENCES = {"published": "llama-2-7b", "steps": "dense"}
# Whose writing is drawn: a mixture between a dense model of equal operations and one of equal size.
WRITERS = {
    "published": ("llama-2-13b", "mixtral-8x7b", "llama-2-70b", "deepseek-v3"),
    "steps": ("twin", "moe", "giant", "mla"),
}
PREDICTED = DecodingConfig(("twin", "moe"))
PREDICTED_BATCH = 16


def draw(page: LabPage) -> None:
    config, device = knobs(page)
    guess = page.predict("mixture", options=("shorter", "same", "longer"))
    page.reveal(guess, truth())
    rows = page.run(evolution.run, config)
    names = {row.name: charts.name_of(row, page.text) for row in rows}
    reference = page.choice(
        f"reference_{config.designs}", tuple(names), REFERENCES[config.designs], "select", names.get
    )
    page.figure(charts.compared(rows, reference, page.text), ANALYTIC, "compared")
    say_beyond(page, rows)
    st.dataframe(charts.table(rows, page.text), hide_index=True)
    page.figure(
        charts.memory(rows, DEVICES[device].memory_bytes, page.text), ANALYTIC, "serving_memory"
    )
    writing(page, config, device)
    page.offer_notebook(
        "from labcore.scaling import evolution\n"
        "from labcore.scaling.evolution import EvolutionConfig\n\n"
        f"for row in evolution.run({config!r}):\n"
        "    print(row.title, row.parameters, row.active, row.writing_flops, row.cache_bytes)"
    )


def knobs(page: LabPage) -> tuple[EvolutionConfig, str]:
    first, second, third = st.columns(3)
    with first:
        designs = page.choice("designs", tuple(SETS), "published")
        context = page.choice("context", CONTEXTS, "4096", "slide", thousands)
    with second:
        weight_bits = page.choice("weight_bits", BITS, "16")
        batch = page.choice("batch", BATCHES, "16", "slide", str)
    with third:
        cache_bits = page.choice("cache_bits", BITS, "16")
        device = page.choice(
            "served_on", tuple(DEVICES), "h100", "select", lambda name: DEVICES[name].title
        )
    return EvolutionConfig(
        designs, int(context), int(batch), int(weight_bits), int(cache_bits)
    ), device


def thousands(tokens: str) -> str:
    """
    >>> thousands("256"), thousands("4096"), thousands("1048576")
    ('256', '4K', '1M')
    """
    count = int(tokens)
    return f"{count >> 20}M" if count >= 2**20 else f"{count >> 10}K" if count >= 1024 else tokens


def truth() -> str:
    """How long a mixture takes per token beside its twin of equal operations, sixteen at once."""
    twin, mixture = decoding.run(PREDICTED)
    at = decoding.BATCHES.tolist().index(PREDICTED_BATCH)
    ratio = mixture.seconds[at] / twin.seconds[at]
    return "shorter" if ratio < 0.8 else "same" if ratio < 1.25 else "longer"


def say_beyond(page: LabPage, rows: tuple[Row, ...]) -> None:
    """Models whose positions end before the context that was asked for."""
    beyond = [row.title for row in rows if row.beyond]
    if beyond:
        page.caption("beyond", models=page.text("list.comma").join(beyond))


def writing(page: LabPage, config: EvolutionConfig, device: str) -> None:
    """What a written token costs, over the number of sequences served at once."""
    names = WRITERS[config.designs]
    asked = DecodingConfig(
        names, config.designs, config.context, config.weight_bits, config.cache_bits, device
    )
    rows = page.run(decoding.run, asked)
    page.figure(charts.decoding(rows, config.batch, page.text), ANALYTIC, "decoding")
    mixture = rows[1]
    at = decoding.BATCHES.tolist().index(config.batch)
    page.caption(
        "decoding.told", batch=config.batch, mixture=charts.name_of(mixture, page.text),
        needed=f"{mixture.experts_read[at]:.1f}",
        times=f"{mixture.seconds[at] / rows[0].seconds[at]:.2f}",
        twin=charts.name_of(rows[0], page.text),
    )  # fmt: skip
