"""From roofline to production: a step, this machine, how many devices, which files, a model served."""

import streamlit as st

from app.charts import production as charts
from app.labs.inference import (
    production_capacity,
    production_machine,
    production_plans,
    production_served,
)
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.model.presets import PRESETS
from labcore.serving import (
    capacity,
    deployment,
    load_test,
    machine_roof,
    roofline,
)
from labcore.serving import step_roof as lab
from labcore.serving.step_roof import RoofConfig, RoofResult

SHOWN = (
    roofline.ridge, roofline.matrix, roofline.attention, lab.crossing, machine_roof.measure,
    capacity.run, capacity.at_load, deployment.vllm_arguments, deployment.form,
    load_test.calibrate, load_test.simulate,
)  # fmt: skip

DEFAULT = RoofConfig()
CONTEXTS = tuple(str(2**power) for power in range(7, 18))
BATCHES = tuple(map(str, lab.BATCHES))
GAIN_BATCH = 256
CLOSE = 0.25  # a guess within a quarter of the truth is a good one


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "roofline")
    page.caption(f"part.{part}")
    PARTS[part](page)


def roof(page: LabPage) -> None:
    try:
        config = knobs(page)
        result = page.run(lab.run, config)
    except LabInputError as error:
        page.error(error)
        return
    say(page, config, result)
    page.figure(charts.roof(result, page.text), ANALYTIC, "roof")
    st.dataframe(charts.operator_table(result, page.text), hide_index=True)
    page.caption("roof.source", source=DEVICES[config.device].source)
    many(page, config, result)
    page.offer_notebook(
        f"from labcore.serving import step_roof as lab\n\nresult = lab.run(lab.{config!r})",
        "for row in zip(result.names, result.flops, result.bytes, result.seconds, result.bound):\n"
        "    print(*row)\n"
        "print(result.total_seconds, result.products_cross, result.step_crosses)",
    )


def knobs(page: LabPage) -> RoofConfig:
    left, right = st.columns(2)
    with left:
        preset = page.choice(
            "preset", lab.MODELS, DEFAULT.preset, "select", lambda name: PRESETS[name].title
        )
        phase = page.choice("phase", lab.PHASES, DEFAULT.phase)
        context = page.choice(
            "context", CONTEXTS, str(DEFAULT.context), "slide", lambda n: f"{int(n):,}"
        )
        weights = page.choice("weight_bits", tuple(map(str, lab.WEIGHT_BITS)), "16", label=str)
    with right:
        device = page.choice(
            "device", tuple(DEVICES), DEFAULT.device, "select", lambda name: DEVICES[name].title
        )
        batch = page.choice("batch", BATCHES, str(DEFAULT.batch), "slide", lambda n: f"{int(n):,}")
        cache = page.choice("cache_bits", tuple(map(str, lab.CACHE_BITS)), "16", label=str)
    return RoofConfig(preset, device, phase, int(batch), int(context), int(weights), int(cache))


def say(page: LabPage, config: RoofConfig, result: RoofResult) -> None:
    tokens = config.batch * (config.context if config.phase == "read" else 1)
    used = result.flops.sum() / result.total_seconds / result.peak_flops
    st.markdown(
        page.text(
            f"roof.outcome.{config.phase}", ms=f"{1e3 * result.total_seconds:,.3g}",
            rate=f"{tokens / result.total_seconds:,.0f}", used=f"{100 * used:.2g}",
            ridge=f"{result.ridge:.0f}",
        )
    )  # fmt: skip
    if config.phase == "write":
        key = "roof.whole" if result.step_crosses else "roof.never"
        crossed = page.text(
            "roof.products" if result.products_cross else "roof.no_products",
            batch=f"{result.products_cross or lab.MOST_CROSSING:,}",
        )
        st.markdown(
            crossed + page.text("list.gap") + page.text(key, batch=f"{result.step_crosses or 0:,}")
        )


def many(page: LabPage, config: RoofConfig, result: RoofResult) -> None:
    """Guess what a batch gains, then the curve."""
    if config.phase == "read":
        page.figure(charts.rate(result, config.context, config.batch, page.text), ANALYTIC, "rate")
        return
    guess = page.predict("gain", low=1.0, high=float(GAIN_BATCH), step=1.0, unit="×")
    if guess is None and not page.toggle("unveil_rate", False):
        return
    one, batch = result.step_seconds[0], result.step_seconds[lab.BATCHES.index(GAIN_BATCH)]
    page.reveal(guess, round(GAIN_BATCH * float(one / batch), 1), CLOSE)
    page.figure(charts.rate(result, 1, config.batch, page.text), ANALYTIC, "rate")


PARTS = {
    "roofline": roof,
    "machine": production_machine.machine,
    "capacity": production_capacity.plan,
    "plans": production_plans.plans,
    "served": production_served.served,
}
