"""How large the cache of a published model becomes, and what fits where."""

import streamlit as st

from app.charts import kv_cache as charts
from app.page import LabPage
from app.provenance import ANALYTIC, MEASURED
from labcore.distributed.cluster import DEVICES
from labcore.model.presets import PRESETS
from labcore.serving import cache_size as lab
from labcore.serving.cache_size import SizeConfig, SizeResult

DEFAULT = SizeConfig()
CONTEXTS = tuple(str(2**power) for power in range(9, 21))
BATCHES = tuple(str(2**power) for power in range(11))


def memory(page: LabPage) -> None:
    config = knobs(page)
    result = page.run(lab.run, config)
    say(page, config, result)
    st.dataframe(charts.size_table(result, page.text), hide_index=True)
    page.figure(charts.parts(result, page.text), ANALYTIC, "parts")
    page.figure(charts.growth(result, config, page.text), ANALYTIC, "growth")
    held = page.run(lab.compare, lab.HELD_TOKENS)
    st.markdown(f"**{page.text('held')}**")
    page.badge(MEASURED)
    page.caption("held.about", tokens=lab.HELD_TOKENS, rows=lab.HELD_ROWS)
    st.dataframe(charts.held_table(held, page.text), hide_index=True)
    page.offer_notebook(
        f"from labcore.serving import cache_size as lab\n\nresult = lab.run(lab.{config!r})",
        "for kind in lab.KINDS:\n"
        "    print(kind, result.per_token_bytes[kind], result.cache_bytes[kind] / 1e9, result.fits[kind])\n"
        "print(lab.compare())",
    )


def knobs(page: LabPage) -> SizeConfig:
    left, right = st.columns(2)
    with left:
        model = page.choice("preset", lab.MODELS, DEFAULT.model, style="select", label=title)
        context = page.choice(
            "context", CONTEXTS, str(DEFAULT.context), style="slide", label=thousands
        )
        bits = page.choice("bits", tuple(map(str, lab.CACHE_BITS)), str(DEFAULT.bits), label=str)
    with right:
        device = page.choice(
            "device", tuple(DEVICES), DEFAULT.device, style="select",
            label=lambda name: DEVICES[name].title,
        )  # fmt: skip
        batch = page.choice("batch", BATCHES, str(DEFAULT.batch), style="slide", label=str)
        devices = page.slider("devices", 1, 16, DEFAULT.devices)
    return SizeConfig(model, int(context), int(batch), int(bits), device, devices)


def title(name: str) -> str:
    return "DeepSeek-V2 236B" if name == lab.DEEPSEEK_V2 else PRESETS[name].title


def thousands(number: str) -> str:
    return f"{int(number):,}"


def say(page: LabPage, config: SizeConfig, result: SizeResult) -> None:
    kind = result.published_kind
    numbers = {
        "model": title(config.model), "kind": page.text(f"kind.{kind}"),
        "each": f"{result.per_token_bytes[kind] / 1e3:,.0f}",
        "cache": f"{result.cache_bytes[kind] / 1e9:,.1f}",
        "weights": f"{result.weight_bytes / 1e9:,.0f}", "texts": f"{result.fits[kind]:,}",
    }  # fmt: skip
    st.markdown(page.text("size.outcome", **numbers))
    if result.weight_bytes >= result.memory_bytes:
        st.info(page.text("size.weights_too_large", memory=f"{result.memory_bytes / 1e9:,.0f}"))
