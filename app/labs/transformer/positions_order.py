"""The same words in another order: an encoder and a decoder, with positions and without."""

import streamlit as st

from app.charts import positions as charts
from app.page import LabPage
from app.provenance import COMPUTED, MEASURED
from labcore.architecture import positions_order as lab
from labcore.architecture.positions_length import ENCODINGS
from labcore.architecture.positions_order import OrderConfig, OrderResult, PlaceConfig

TEXT_LIMIT = 500
DEFAULT = OrderConfig()
OTHERS = tuple(name for name in ENCODINGS if name != "none")


def draw(page: LabPage) -> None:
    left, right = st.columns([3, 2])
    with left:
        text = page.text_area("text", page.text("default.text"), TEXT_LIMIT, lines=3)
    with right:
        order = page.choice("order", lab.ORDERS, DEFAULT.order)
        layers = page.slider("layers", 1, lab.MOST_LAYERS, DEFAULT.layers)
    with st.expander(page.text("more"), key="positions-more-order"):
        beside = page.choice("beside", OTHERS, DEFAULT.encoding, style="select", label=named(page))
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    config = OrderConfig(text, order, beside, layers, seed)
    result = page.run(lab.run, config)
    if result.dropped_tokens:
        page.caption("cut.tokens", kept=len(result.before), dropped=result.dropped_tokens)
    st.text(f"{page.text('order.before')}  {' '.join(result.before)}")
    st.text(f"{page.text('order.after')}  {' '.join(result.after)}")
    page.figure(charts.reordering(result, page.text), COMPUTED, "reordering")
    say(page, result)
    draw_places(page, PlaceConfig(layers, seed))
    offer_notebook(page, config)


def named(page: LabPage):
    return lambda encoding: charts.name_of(encoding, page.text)


def say(page: LabPage, result: OrderResult) -> None:
    """Each reader in a sentence, with its largest change and the first place that noticed."""
    lines = []
    for reader in result.readers:
        name, change = charts.reader_name(reader, page.text), charts.size(reader.change.max())
        if reader.first_noticed is None:
            lines.append(page.text("order.blind", reader=name, change=change))
        else:
            noticed = int((reader.change > lab.NOTICED).sum())
            lines.append(
                page.text(
                    "order.sees", reader=name, change=change, first=reader.first_noticed,
                    noticed=noticed, count=len(reader.change),
                )
            )  # fmt: skip
    st.markdown("\n".join(f"- {line}" for line in lines))


def draw_places(page: LabPage, config: PlaceConfig) -> None:
    """Can the place be read out of a vector? Measured on random tokens, so that words tell nothing."""
    result = page.run(lab.ask_places, config)
    page.figure(charts.place_errors(result, page.text), MEASURED, "places")


def offer_notebook(page: LabPage, config: OrderConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import positions_order as lab\n\n"
        f"result = lab.run(lab.{config!r})\n"
        "for reader in result.readers:\n"
        "    print(reader.kind, reader.encoding, reader.change.max(), reader.first_noticed)",
        f"lab.ask_places(lab.PlaceConfig(layers={config.layers}, seed={config.seed}))",
    )
