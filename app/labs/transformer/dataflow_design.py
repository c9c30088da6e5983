"""The drawing board: an architecture by its knobs, a published one to start from, and its bill."""

import streamlit as st

from app.charts import blueprint
from app.charts import ledger as charts
from app.charts.blueprint_names import compact
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.architecture.context_cost import ContextCost, context_cost
from labcore.architecture.ledger import Ledger, ledger
from labcore.errors import LabInputError
from labcore.model.config import CHOICES, MixtureOfExperts, ModelConfig
from labcore.model.presets import PRESETS

OWN = "own"  # the lab's smallest decoder, to begin from nothing
LENGTHS = tuple(round(10 ** (i / 4)) for i in range(4, 25))  # of the curves: 10 to a million tokens
TOKENS = ("64", "256", "1024", "4096", "16384", "65536", "131072")
BYTES = {"fp32": 4.0, "bf16": 2.0, "int8": 1.0, "int4": 0.5}
# Knobs that are a number of the config, with their ends and step.
SIZES = {
    "num_layers": (1, 128, 1),
    "num_heads": (1, 128, 1),
    "num_key_value_heads": (1, 128, 1),
    "hidden_size": (8, 16384, 8),
    "intermediate_size": (8, 65536, 8),
    "vocab_size": (256, 300_000, 256),
}


def draw(page: LabPage) -> None:
    left, right = st.columns([3, 2])
    with left:
        name = page.choice("preset", (OWN, *PRESETS), "gpt2", style="select", label=titles(page))
    with right:
        number = page.choice("precision", tuple(BYTES), "bf16")
    base = PRESETS[name].config if name in PRESETS else ModelConfig()
    follow_preset(page, name, base)
    try:
        config = design(page, base)
        tokens = int(pick_tokens(page, config))
        bill = ledger(config, tokens, BYTES[number])
    except LabInputError as error:
        page.error(error)
        return
    if name in PRESETS and values_of(config) == values_of(base):  # as published, nothing turned
        page.caption("preset.source", year=PRESETS[name].year, source=PRESETS[name].source)
    draw_bill(page, bill, BYTES[number])
    offer_notebook(page, config, tokens, BYTES[number])


def titles(page: LabPage):
    return lambda name: page.text("preset.own") if name == OWN else PRESETS[name].title


# The knobs.


def values_of(config: ModelConfig) -> dict[str, int | str | bool]:
    """A config as the values of this page's knobs."""
    return {
        "kind": config.kind,
        **{name: getattr(config, name) for name in ("num_layers", "num_heads", "hidden_size", "vocab_size")},
        "num_key_value_heads": config.key_value_heads,
        "intermediate_size": config.mlp_size,
        "positions": config.positions,
        "gated": config.gated,
        "tied": config.tie_embeddings,
        "num_experts": config.moe.num_experts if config.moe else 1,
    }  # fmt: skip


def follow_preset(page: LabPage, name: str, base: ModelConfig) -> None:
    """Another preset turns every knob to its own values; a link's values for the first one stay."""
    slot = "dataflow.preset.opened"
    if st.session_state.get(slot, name) != name:
        for knob, value in values_of(base).items():
            page.controls.set(knob, value)
    st.session_state[slot] = name


def design(page: LabPage, base: ModelConfig) -> ModelConfig:
    """The preset with whatever the learner changed.

    Raises LabInputError for a combination that is no Transformer.
    """
    at_first = values_of(base)
    with st.expander(page.text("design.knobs"), key="dataflow-design", expanded=False):
        page.caption("design.about")
        kind = page.choice("kind", CHOICES["kind"], at_first["kind"])
        columns = st.columns(3)
        sizes = {}
        for index, (knob, (low, high, step)) in enumerate(SIZES.items()):
            with columns[index % 3]:
                sizes[knob] = page.number(knob, low, high, at_first[knob], step)
        positions = page.choice("positions", CHOICES["positions"], at_first["positions"], "pills")
        columns = st.columns(3)
        with columns[0]:
            gated = page.toggle("gated", at_first["gated"])
        with columns[1]:
            tied = page.toggle("tied", at_first["tied"])
        with columns[2]:
            experts = page.number("num_experts", 1, 64, at_first["num_experts"])
    return base.with_(
        **sizes, kind=kind, positions=positions, tie_embeddings=tied,
        activation=base.activation if gated == base.gated else "swiglu" if gated else "gelu",
        moe=mixture(base, experts),
        head=base.head if kind == base.kind else "mlm" if kind == "encoder" else "lm",
    )  # fmt: skip


def mixture(base: ModelConfig, experts: int) -> MixtureOfExperts | None:
    if experts == 1:
        return None
    active = base.moe.experts_per_token if base.moe else 2
    return MixtureOfExperts(num_experts=experts, experts_per_token=min(active, experts))


def pick_tokens(page: LabPage, config: ModelConfig) -> str:
    """How long the text is; learned positions end somewhere."""
    limit = config.max_positions if config.positions == "learned" else float("inf")
    options = [tokens for tokens in TOKENS if int(tokens) <= limit]
    default = next(tokens for tokens in ("1024", "256", "64") if tokens in options)
    return page.choice(
        "tokens", options, default, style="pills",
        label=lambda tokens: tokens if int(tokens) < 1024 else f"{int(tokens) // 1024}K",
    )  # fmt: skip


# The bill.


def draw_bill(page: LabPage, bill: Ledger, bytes_each: float) -> None:
    """The picture on the left, what follows from it on the right."""
    draw_totals(page, bill)
    wide = bill.config.kind == "encoder_decoder"
    left, right = (st.container(), st.container()) if wide else st.columns([10, 11], gap="medium")
    with left:
        alt = page.text("alt.overview", layers=bill.config.num_layers)
        figure = blueprint.picture(bill, page.text, alt=alt)
        page.figure(figure, ANALYTIC, "plan")
    with right:
        page.figure(charts.shares(bill, page.text), ANALYTIC, "shares")
        st.markdown(page.text("design.read"))
        draw_growth(page, bill, bytes_each)


def draw_totals(page: LabPage, bill: Ledger) -> None:
    figures = {
        "parameters": compact(bill.parameters),
        "flops": compact(bill.flops),
        "flops_next": compact(bill.flops_next_token) if bill.flops_next_token else "–",
        "weights": size(bill.weight_bytes),
        "cache": size(bill.cache_bytes) if bill.cache_bytes else "–",
    }
    with st.container(horizontal=True, gap="medium", key="dataflow-totals"):
        for name, value in figures.items():
            st.metric(
                page.text(f"metric.{name}"), value, width="content",
                help=page.text(f"metric.{name}.help", tokens=f"{bill.tokens:,}"),
            )  # fmt: skip


def size(count: float) -> str:
    """
    >>> size(12.5 * 2**30), size(800)
    ('12.5 GiB', '800 B')
    """
    for unit, bytes_each in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= bytes_each:
            return (
                f"{count / bytes_each:.3g} {unit}"
                if count < 1000 * bytes_each
                else (f"{count / bytes_each:,.0f} {unit}")
            )
    return f"{count:,.0f} B"


# What a longer text costs.


def draw_growth(page: LabPage, bill: Ledger, bytes_each: float) -> None:
    """Predict where attention's own products overtake the weights'; then both curves."""
    guess = page.predict("crossing", options=("short", "middle", "long", "very_long"))
    if guess is None and not page.toggle("unveil_cost", False):
        return
    cost = context_cost(bill.config, LENGTHS, bytes_each)
    page.reveal(guess, span(cost))
    page.figure(charts.context_curve(cost, bill.tokens, page.text), ANALYTIC, "context")
    if bill.cache_bytes:
        page.figure(charts.cache_curve(cost, bill.weight_bytes, page.text), ANALYTIC, "cache")


def span(cost: ContextCost) -> str:
    """The answer to the question at what length the two cost the same."""
    limits = {"short": 1024, "middle": 4096, "long": 16384}
    return next((name for name, limit in limits.items() if cost.crossing < limit), "very_long")


def offer_notebook(page: LabPage, config: ModelConfig, tokens: int, bytes_each: float) -> None:
    page.offer_notebook(
        "from labcore.architecture.ledger import ledger\n"
        "from labcore.model.config import *\n\n"
        f"config = {config!r}\n"
        f"bill = ledger(config, tokens={tokens}, bytes_per_number={bytes_each})\n"
        "print(f'{bill.parameters:,} parameters, {bill.flops:,} FLOPs')",
        "for row in bill.rows:\n"
        "    print(f'{row.block:<14} x {row.repeat:<3} {row.parameters:>14,} parameters "
        "{row.flops:>20,} FLOPs')",
        "from labcore.architecture.context_cost import crossing\n\n"
        "print(f'attention costs as much as the weights at {crossing(config):,.0f} tokens')",
    )
