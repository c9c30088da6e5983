"""One budget: how each law shares it out, what a wrong size costs, and what the whole costs."""

import pandas as pd
import streamlit as st

from app.charts import budget as charts
from app.charts.amounts import power, short
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.distributed.cluster import DEVICES
from labcore.model.presets import PRESETS
from labcore.scaling import budget, chinchilla
from labcore.scaling.budget import BillConfig, CountsConfig
from labcore.scaling.chinchilla import LAWS, LOSS_LAWS, OptimalConfig, OptimalResult

LOOKS = ("plane", "ratio", "counting", "bill")
GOPHER_EXPONENT = 23.76  # 5.75e23 FLOPs
DEVICE_COUNTS = ("1", "8", "64", "512", "1024", "2048", "4096", "16384")
BILL = BillConfig()


def draw(page: LabPage) -> None:
    left, right = st.columns([5, 6])
    with left:
        exponent = page.slider("exponent", 18.0, 28.0, GOPHER_EXPONENT, 0.02, format="10^%.2f")
    with right:
        law = page.choice("law", tuple(LAWS), "approach1", "pills")
    config = OptimalConfig(10.0**exponent, law)
    result = page.run(chinchilla.run, config)
    say(page, config, result)
    guess = page.predict("growth", low=1.0, high=10.0, step=0.1, unit="×")
    page.reveal(guess, 10 ** LAWS[law].exponent)
    look = page.choice("look", LOOKS, "plane")
    {"plane": plane, "ratio": ratio, "counting": counting, "bill": bill}[look](page, config, result)
    offer_notebook(page, config)


def say(page: LabPage, config: OptimalConfig, result: OptimalResult) -> None:
    chosen = result.chosen
    st.markdown(
        page.text(
            "answer", budget=power(config.flops), law=page.text(f"option.law.{config.law}"),
            parameters=short(chosen.parameters), tokens=short(chosen.tokens),
            ratio=short(chosen.tokens_per_parameter),
        )
    )  # fmt: skip


def plane(page: LabPage, config: OptimalConfig, result: OptimalResult) -> None:
    page.figure(charts.plane(result, page.text), ANALYTIC, "plane")
    rows = [
        {
            page.text("column.law"): page.text(f"option.law.{share.law}"),
            page.text("column.parameters"): short(share.parameters),
            page.text("column.tokens"): short(share.tokens),
            page.text("column.ratio"): short(share.tokens_per_parameter),
            page.text("column.loss"): "–" if share.loss_nats is None else f"{share.loss_nats:.3f}",
        }
        for share in result.shares
    ]
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    page.figure(charts.valley(result, page.text), ANALYTIC, "valley")
    law = LAWS["epoch"]
    best = float(law.size(config.flops))

    def more(factor: float) -> str:
        n = best * factor
        rise = law.loss(n, config.flops / 6 / n) - law.loss(best, config.flops / 6 / best)
        return f"{rise:.3f}"

    page.caption("valley.told", half=more(0.5), double=more(2), tenfold=more(10))


def ratio(page: LabPage, config: OptimalConfig, result: OptimalResult) -> None:
    page.figure(charts.ratios(result, page.text), ANALYTIC, "ratios")


def counting(page: LabPage, config: OptimalConfig, result: OptimalResult) -> None:
    """The same law in two counts: where Kaplan's exponent comes from."""
    law = config.law if config.law in LOSS_LAWS else "epoch"
    counted = page.run(counted_of, law)
    page.figure(charts.counting(counted, page.text), ANALYTIC, "counting")
    page.caption(
        "counting.told", law=page.text(f"option.law.{law}"), inner=f"{counted.inner_exponent:.2f}",
        total=f"{counted.total_exponent:.2f}",
    )  # fmt: skip


def counted_of(law: str) -> chinchilla.Counted:
    return chinchilla.counted_both_ways(LAWS[law])


def bill(page: LabPage, config: OptimalConfig, result: OptimalResult) -> None:
    """Hours, days, money, energy; the counts of a published model; what reported hours imply."""
    columns = st.columns(3)
    with columns[0]:
        device = page.choice(
            "device", tuple(DEVICES), BILL.device, "select", lambda name: DEVICES[name].title
        )
        devices = int(page.choice("devices", DEVICE_COUNTS, str(BILL.devices), "select", count))
    with columns[1]:
        share = page.slider("peak_share", 5, 80, round(100 * BILL.peak_share), 1)
        dollars = page.slider("dollars", 0.5, 10.0, BILL.dollars_per_hour, 0.1)
    with columns[2]:
        pue = page.slider("pue", 1.0, 2.0, BILL.pue, 0.05)
        grams = page.slider("grams", 0, 1000, round(BILL.grams_per_kwh), 5)
    made = budget.bill(
        BillConfig(config.flops, device, devices, share / 100, dollars, pue, float(grams))
    )
    metrics(
        page,
        {
            "hours": short(made.device_hours), "days": short(made.days),
            "dollars": f"${short(made.dollars)}", "energy": f"{short(made.megawatt_hours)} MWh",
            "carbon": f"{short(made.tonnes)} t",
        },
    )  # fmt: skip
    page.figure(charts.implied(budget.implied_shares(pue), page.text), ANALYTIC, "implied")
    counts(page, config.law)


def counts(page: LabPage, law: str) -> None:
    """A published architecture: both counts, exact operations, and the budget that would suit it."""
    names = budget.decoders()
    preset = page.choice("preset", names, "llama-3-8b", "select", lambda name: PRESETS[name].title)
    made = page.run(budget.counts, CountsConfig(preset, law))
    metrics(
        page,
        {
            "parameters": short(made.parameters, 4), "active": short(made.active, 4),
            "inner": short(made.without_embeddings, 4),
            "forward": f"{made.forward_flops / 1e9:.4g}", "rule": f"{made.share_of_rule:.2f} ×",
            "suited": short(made.tokens), "suited_flops": f"{made.flops:.2e}",
        },
    )  # fmt: skip
    page.caption("counts.told", context=f"{made.context:,}")


def count(devices: str) -> str:
    return f"{int(devices):,}"


def metrics(page: LabPage, values: dict[str, str]) -> None:
    with st.container(horizontal=True, gap="medium", key=f"budget-metrics-{next(iter(values))}"):
        for name, value in values.items():
            st.metric(
                page.text(f"metric.{name}"), value, width="content",
                help=page.text.find(f"metric.{name}.help"),
            )  # fmt: skip


def offer_notebook(page: LabPage, config: OptimalConfig) -> None:
    page.offer_notebook(
        "from labcore.scaling import chinchilla\n"
        "from labcore.scaling.chinchilla import OptimalConfig\n\n"
        f"result = chinchilla.run({config!r})\n"
        "for share in result.shares:\n"
        '    print(f"{share.law:<10} {share.parameters:.3g} parameters, {share.tokens:.3g} tokens, "\n'
        '          f"{share.tokens_per_parameter:.1f} per parameter", share.loss_nats)',
        "from labcore.scaling.budget import BillConfig, bill\n\n"
        f"bill(BillConfig(flops={config.flops!r}))",
    )
