"""From requests, lengths and patience to a batch, devices and cost; then the plan against a queue."""

import streamlit as st

from app.charts import production as charts
from app.job import JobView
from app.page import LabPage
from app.provenance import ANALYTIC, MEASURED, Provenance
from labcore.distributed.cluster import DEVICES
from labcore.errors import LabInputError
from labcore.model.presets import PRESETS
from labcore.serving import capacity as lab
from labcore.serving import capacity_check
from labcore.serving.capacity import CapacityConfig, CapacityResult
from labcore.serving.capacity_check import CheckConfig, CheckResult

DEFAULT = CapacityConfig()
PRICE_CHARACTERS = 12


def plan(page: LabPage) -> None:
    try:
        config = knobs(page)
        result = page.run(lab.run, config)
    except LabInputError as error:
        page.error(error)
        return
    say(page, config, result)
    page.offer_notebook(
        f"from labcore.serving import capacity as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.batch, result.limit, result.copies, result.devices, result.real_cost)",
    )
    if not len(result.batches):
        return
    page.figure(charts.waiting(result, config, page.text), ANALYTIC, "waiting")
    page.figure(charts.cost(result, page.text), ANALYTIC, "cost")
    if result.batch:
        st.markdown(f"**{page.text('check')}**")
        page.caption("check.about")
        if result.batch * config.answer > capacity_check.MOST_PLACES:
            page.caption("check.too_large")
            return
        asked = CheckConfig(config)
        page.job(capacity_check.check, asked, lambda view: draw_check(page, asked, view))


def knobs(page: LabPage) -> CapacityConfig:
    first = st.columns(3)
    with first[0]:
        preset = page.choice(
            "preset", lab.MODELS, DEFAULT.preset, "select", lambda name: PRESETS[name].title
        )
        weights = page.choice("weight_bits", tuple(map(str, lab.WEIGHT_BITS)), "16", label=str)
        prompt = page.number("prompt", 1, 131_072, DEFAULT.prompt, 100)
    with first[1]:
        device = page.choice(
            "device", tuple(DEVICES), DEFAULT.device, "select", lambda name: DEVICES[name].title
        )
        cache = page.choice("cache_bits", tuple(map(str, lab.CACHE_BITS)), "16", label=str)
        answer = page.number("answer", 2, 16_384, DEFAULT.answer, 50)
    with first[2]:
        requests = page.number("requests", 1, 10_000, int(DEFAULT.requests))
        group = page.choice("group", tuple(map(str, lab.GROUPS)), str(DEFAULT.group), label=str)
        price = page.text_area("price", str(DEFAULT.price), PRICE_CHARACTERS, lines=1)
    second = st.columns(2)
    with second[0]:
        first_ms = page.number("first_ms", 10, 60_000, int(DEFAULT.first_ms), 50)
    with second[1]:
        next_ms = page.number("next_ms", 1, 1_000, int(DEFAULT.next_ms), 5)
    with st.expander(page.text("assumptions"), key="production-assumptions"):
        page.caption("assumptions.about")
        columns = st.columns(4)
        shares = {}
        for column, (name, low) in zip(
            columns,
            (("peak_share", 0.1), ("bandwidth_share", 0.1), ("reserve", 0.0), ("load_share", 0.1)),
            strict=True,
        ):
            high = 0.5 if name == "reserve" else 1.0
            with column:
                shares[name] = page.slider(name, low, high, getattr(DEFAULT, name), 0.05)
    return CapacityConfig(
        preset, device, int(group), int(weights), int(cache), float(requests), prompt, answer,
        float(first_ms), float(next_ms), number(price), **shares,
    )  # fmt: skip


def number(typed: str) -> float:
    try:
        return float(typed)
    except ValueError:
        raise LabInputError("price", typed, "a_number") from None


def say(page: LabPage, config: CapacityConfig, result: CapacityResult) -> None:
    numbers = {
        "weights": f"{result.weight_bytes / 1e9:,.1f}", "memory": f"{result.memory_bytes / 1e9:,.1f}",
        "text": f"{result.text_bytes / 1e6:,.1f}", "fit": f"{result.fit:,}",
        "read": f"{1e3 * result.read_seconds:,.1f}", "batch": f"{result.batch:,}",
    }  # fmt: skip
    if result.fit == 0:
        st.warning(page.text("plan.too_large", **numbers), icon=":material/memory:")
        return
    if result.batch == 0:
        one = {
            "next": f"{1e3 * result.next_seconds[0]:,.1f}",
            "first": f"{1e3 * result.first_seconds[0]:,.1f}",
        }
        st.warning(page.text("plan.too_slow", **one), icon=":material/timer_off:")
        st.markdown(page.text("plan.memory", **numbers))
        return
    chosen = result.chosen
    figures = {
        "batch": f"{result.batch:,}",
        "devices": f"{result.devices:,}",
        "next": f"{1e3 * result.likely_seconds:,.1f} ms",
        "rate": f"{config.requests * config.answer / result.devices:,.0f}",
        "cost": f"{result.real_cost:,.3g}",
    }
    with st.container(horizontal=True, gap="medium", key="production-plan"):
        for name, value in figures.items():
            st.metric(
                page.text(f"metric.{name}"), value, width="content",
                help=page.text(f"metric.{name}.help"),
            )  # fmt: skip
    st.markdown(page.text("plan.memory", **numbers))
    st.markdown(
        page.text(
            f"plan.limit.{result.limit}", batch=f"{result.batch:,}",
            next=f"{1e3 * result.next_seconds[chosen]:,.1f}",
            first=f"{1e3 * result.first_seconds[chosen]:,.1f}",
        )
        + page.text("list.gap")
        + page.text(
            "plan.copies", each=f"{result.per_second[chosen]:,.2f}", copies=f"{result.copies:,}",
            devices=f"{result.devices:,}", share=f"{100 * config.load_share:.0f}",
        )
    )  # fmt: skip


def draw_check(page: LabPage, config: CheckConfig, view: JobView | None) -> None:
    if view is None and config == CheckConfig():
        kept = page.recording("check", CheckResult)
        page.caption("job.recorded")
        pictures(page, kept.result, kept.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        pictures(page, view.result, MEASURED)


def pictures(page: LabPage, result: CheckResult, source: Provenance) -> None:
    page.figure(charts.check_each(result, page.text), source, "check_each")
    page.figure(charts.check_first(result, page.text), source, "check_first")
