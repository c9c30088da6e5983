"""A simulated server: four ways of sharing its memory out among requests."""

import streamlit as st

from app.charts import kv_pages as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.serving import page_server as lab
from labcore.serving.page_server import ServerConfig
from labcore.serving.page_study import PageStudy

DEFAULT = ServerConfig()


def pages(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("pages", options=lab.WAYS)
    result = page.run(lab.run, config)
    st.markdown(
        page.text("pages.outcome", requests=result.requests, slots=lab.SLOTS, steps=lab.STEPS)
    )
    st.dataframe(charts.fates(result, page.text), hide_index=True)
    most = max(lab.WAYS, key=lambda way: result.ways[way].finished)
    if guess is not None:
        page.reveal(guess, most)
    for pair in (lab.WAYS[:2], lab.WAYS[2:]):  # so that they keep their order on a phone
        for column, way in zip(st.columns(2), pair, strict=True):
            with column:
                title = page.text("figure.map.of", way=page.text(f"way.{way}"))
                figure = charts.memory_map(result, way, page.text)
                page.figure(figure, COMPUTED, f"map_{way}", title)
    page.caption("pages.maps")
    page.figure(charts.running(result, page.text), COMPUTED, "running")
    page.figure(charts.fragments(result, "exact", page.text), COMPUTED, "fragments")
    study(page)
    page.offer_notebook(
        f"from labcore.serving import page_server as lab\n\nresult = lab.run(lab.{config!r})",
        "for way, one in result.ways.items():\n"
        '    print(f"{way}: {one.finished} finished, {one.refused} refused, {one.wasted_share:.0%} wasted")',
    )


def knobs(page: LabPage) -> ServerConfig:
    left, right = st.columns(2)
    with left:
        block = page.choice(
            "block", tuple(map(str, lab.BLOCKS)), str(DEFAULT.block_tokens), style="slide", label=str
        )  # fmt: skip
        system = page.slider("system_tokens", 0, 64, DEFAULT.system_tokens, 8)
    with right:
        arrivals = page.slider("arrivals", 5, 60, 25, 5)
        day = page.number("day", 0, 9999, DEFAULT.seed)
    return ServerConfig(int(block), arrivals / 100, system, DEFAULT.patience, day)


def study(page: LabPage) -> None:
    """All sizes of a block, five days each."""
    recorded = page.recording("blocks", PageStudy)
    for measure in ("wasted_share", "finished_share"):
        figure = charts.blocks(recorded.result, measure, page.text)
        page.figure(figure, recorded.provenance, f"blocks_{measure}")
