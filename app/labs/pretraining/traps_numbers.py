"""Part 1: a number taken apart, grids of numbers, sums that stop growing, and where gradients lie."""

import streamlit as st

from app.charts import number_formats as charts
from app.page import LabPage
from app.provenance import ANALYTIC, COMPUTED
from labcore.errors import LabInputError
from labcore.pretraining import gradient_range, number_formats, repeated_addition
from labcore.pretraining.gradient_range import RangeConfig
from labcore.pretraining.number_formats import FORMATS, NumberConfig, Parts
from labcore.pretraining.repeated_addition import AdditionConfig

NAMES = tuple(FORMATS)
ADDENDS = ("0.0001", "0.001", "0.003", "0.004", "0.01", "0.1")
STARTS = ("0", "1", "8", "256", "2048")
GRADIENT_FORMATS = ("fp16", "bf16", "e5m2", "e4m3")
BATCHES = ("9", "12", "16", "20", "22")  # powers of two: tokens of a batch
STUCK, HALF, WHOLE = "start", "half", "whole"


def draw(page: LabPage) -> None:
    apart(page)
    adding(page)
    gradients(page)
    offer_notebook(page)


def apart(page: LabPage) -> None:
    """The learner's number in five formats."""
    if flipped := page.clicked("bits"):
        page.controls.set("number", flipped_number(flipped))
    left, right = st.columns(2)
    with left:
        text = page.text_area("number", "0.1", number_formats.LIMIT_CHARACTERS, lines=1)
    with right:
        chosen = page.choice("format", NAMES, "bf16", label=str)
    try:
        result = page.run(number_formats.run, NumberConfig(text))
    except LabInputError as error:
        page.error(error)
        return
    fixed = page.controls.fixed("number")
    page.figure(charts.bits(result, fixed, page.text), COMPUTED, "bits")
    parts = result.parts[NAMES.index(chosen)]
    st.latex(formula(parts))
    st.markdown(
        page.text(
            "apart.neighbours", format=chosen, below=charts.short(parts.below),
            above=charts.short(parts.above), largest=charts.short(FORMATS[chosen].largest),
            smallest=charts.short(FORMATS[chosen].smallest),
        )
    )  # fmt: skip
    page.figure(charts.grids(result.wanted, page.text), ANALYTIC, "grids")


def flipped_number(flipped: dict) -> str:
    """The number that the flipped pattern stands for; nothing from the browser is taken on trust.

    >>> flipped_number({"format": "bf16", "bits": "0011111110000000"})
    '1.0'
    >>> flipped_number({"format": "bf16", "bits": "2"})
    '0.1'
    """
    format, bits = FORMATS.get(flipped.get("format")), str(flipped.get("bits"))
    if format is None or len(bits) != format.bits or set(bits) - {"0", "1"}:
        return "0.1"
    return repr(number_formats.put_together(bits, format))


def formula(parts: Parts) -> str:
    r"""The value from its fields, as LaTeX.

    >>> formula(number_formats.take_apart(0.1, FORMATS["bf16"]))
    '2^{123-127}\\cdot\\left(1+\\tfrac{77}{128}\\right)=0.10009765625'
    """
    format = FORMATS[parts.format]
    field, mantissa = int(parts.exponent, 2), int(parts.mantissa, 2)
    value = charts.short(parts.value)
    if parts.kind in ("infinite", "nan"):
        name = r"\infty" if parts.kind == "infinite" else r"\text{NaN}"
        sign = "-" if parts.sign == "1" and parts.kind == "infinite" else ""
        return rf"\text{{{parts.exponent}}}_2,\ \text{{{parts.mantissa}}}_2 \;\to\; {sign}{name}"
    lead, power = ("1+", f"{field}-{format.bias}") if field else ("0+", f"1-{format.bias}")
    share = rf"\tfrac{{{mantissa}}}{{{2**format.mantissa_bits}}}"
    sign = "-" if parts.sign == "1" else ""
    return rf"{sign}2^{{{power}}}\cdot\left({lead}{share}\right)={latex(value)}"


def latex(value: str) -> str:
    """
    >>> latex("1e-08"), latex("0.5")
    ('1\\\\cdot 10^{-8}', '0.5')
    """
    digits, e, power = value.partition("e")
    return rf"{digits}\cdot 10^{{{int(power)}}}" if e else digits


def adding(page: LabPage) -> None:
    """A small number, a thousand times."""
    st.subheader(page.text("adding"), anchor=False)
    guess = page.predict("sum", options=(STUCK, HALF, WHOLE))
    left, middle, right = st.columns(3)
    with left:
        start = page.choice("start", STARTS, "1", style="slide", label=str)
    with middle:
        addend = page.choice("addend", ADDENDS, "0.001", style="slide", label=str)
    with right:
        additions = page.slider("additions", 100, repeated_addition.MOST_ADDITIONS, 1000, 100)
    config = AdditionConfig(float(start), float(addend), additions)
    result = page.run(repeated_addition.run, config)
    stuck = result.stuck["bf16"]
    key = "moves" if stuck is None else "stuck" if stuck else "never"
    st.markdown(
        page.text(
            f"adding.{key}", start=start, addend=addend, additions=additions, at=stuck,
            bf16=f"{result.nearest['bf16'][-1]:.5g}", fp16=f"{result.nearest['fp16'][-1]:.5g}",
            exact=f"{result.exact[-1]:.5g}", chance=f"{result.chance[:, -1].mean():.4g}",
        )
    )  # fmt: skip
    page.figure(charts.sums(result, config, page.text), COMPUTED, "sums")
    if config == AdditionConfig():
        page.reveal(guess, band(float(result.nearest["bf16"][-1]), config))


def band(total: float, config: AdditionConfig) -> str:
    """The answer to where the sum ends.

    >>> [band(total, AdditionConfig()) for total in (1.0, 1.5, 2.0)]
    ['start', 'half', 'whole']
    """
    way = (total - config.start) / (config.addend * config.additions)
    return STUCK if way < 0.1 else HALF if way < 0.9 else WHOLE


def gradients(page: LabPage) -> None:
    """Real gradients, moved through a format's range by the batch and by the scale of the loss."""
    st.subheader(page.text("gradients"), anchor=False)
    left, middle, right = st.columns(3)
    with left:
        batch = page.choice("batch", BATCHES, "22", style="slide", label=tokens)
    with middle:
        scale = page.slider("loss_scale", 0, 30, 0)
    with right:
        name = page.choice("gradient_format", GRADIENT_FORMATS, "fp16", label=str)
    result = page.run(gradient_range.run, RangeConfig())
    shift, format = scale - int(batch), FORMATS[name]
    fates = {kind: gradient_range.fate(result, kind, shift, format) for kind in result.counts}
    weights, stream = fates["weights"], fates["stream"]
    st.markdown(
        page.text(
            "gradients.fate", format=name, weights=percent(weights.zero), stream=percent(stream.zero),
            digits=percent(weights.subnormal), over=percent(max(weights.overflow, stream.overflow)),
        )
    )  # fmt: skip
    page.figure(charts.gradients(result, shift, format, fates, page.text), COMPUTED, "gradients")


def percent(share: float) -> str:
    """
    >>> percent(0.99981), percent(0.133), percent(0.0)
    ('99.98 %', '13.3 %', '0 %')
    """
    return f"{100 * share:.4g} %"


def tokens(power: str) -> str:
    """
    >>> tokens("9"), tokens("22")
    ('512', '4,194,304')
    """
    return f"{2 ** int(power):,}"


def offer_notebook(page: LabPage) -> None:
    number = page.controls.values.get("number", "0.1")
    page.offer_notebook(
        "from labcore.pretraining import number_formats as lab\n\n"
        f"result = lab.run(lab.NumberConfig({number!r}))\n"
        "import pandas as pd\n\npd.DataFrame(result.parts)",
        "from labcore.pretraining import repeated_addition\n\n"
        "sums = repeated_addition.run(repeated_addition.AdditionConfig())\n"
        "{name: values[-1] for name, values in sums.nearest.items()}, sums.chance[:, -1].mean()",
        "from labcore.pretraining import gradient_range\n\n"
        "found = gradient_range.run(gradient_range.RangeConfig())\n"
        '[gradient_range.fate(found, "weights", k - 22, lab.FORMATS["fp16"]) for k in (0, 8, 16)]',
    )
