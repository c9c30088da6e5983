"""What a smaller cache costs in loss: fewer tokens kept, or fewer bits for each."""

import streamlit as st

from app.charts import kv_loss as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.serving import cache_bits
from labcore.serving import forgetting as lab
from labcore.serving.cache_bits import BitsConfig, BitsResult
from labcore.serving.forgetting import ForgetConfig, ForgetResult

MODELS = ("world-decoder", "smollm2-135m-instruct")


def forgetting(page: LabPage) -> None:
    model = page.choice("reader", MODELS, MODELS[1])
    if model == MODELS[0]:
        left, right = st.columns(2)
        with left:
            window = page.slider("window", 16, 128, 64, 16)
        with right:
            sinks = page.slider("sinks", 1, 8, 4)
        config, guess = ForgetConfig(model, window, sinks), None
    else:
        with page.controls.aside():
            page.slider("window", 16, 128, 64, 16)
            page.slider("sinks", 1, 8, 4)
        config = lab.PUBLISHED
        guess = page.predict("forgetting", options=("nothing", "little", "much"))
    page.job(lab.forget, config, lambda view: draw_forgetting(page, config, view, guess))
    page.offer_notebook(
        "from labcore.serving import forgetting as lab\n\n"
        f"result = lab.run(lab.ForgetConfig({', '.join(changed_fields(config))}))",
        "for way in lab.WAYS:\n"
        '    print(f"{way}: {result.beyond(way).mean():.3f} nats, {result.kept_bytes[way]:,} bytes")',
    )


def draw_forgetting(
    page: LabPage, config: ForgetConfig, view: JobView | None, guess: Guess | None
) -> None:
    recorded = {ForgetConfig(): "forgetting", lab.PUBLISHED: "forgetting-smollm2"}
    if view is None and config in recorded:
        kept = page.recording(recorded[config], ForgetResult)
        page.caption("job.recorded")
        show_forgetting(page, config, kept.result, kept.provenance, guess)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        show_forgetting(page, config, view.result, MEASURED, guess)


def show_forgetting(
    page: LabPage, config: ForgetConfig, result: ForgetResult, source: Provenance, guess: Guess | None
) -> None:  # fmt: skip
    nats = {way: f"{result.beyond(way).mean():.2f}" for way in lab.WAYS}
    kept = result.kept_bytes["sinks"] / result.kept_bytes["full"]
    st.markdown(
        page.text(
            "forgetting.outcome", window=config.window, sinks=config.sinks, kept=f"{kept:.0%}",
            full=nats["full"], latest=nats["window"], first=nats["sinks"], others=nats["others"],
        )
    )  # fmt: skip
    page.reveal(guess, verdict(result))
    page.figure(charts.over_position(result, page.text), source, "over_position")
    page.figure(charts.against_full(result, page.text), source, "against_full")


def verdict(result: ForgetResult) -> str:
    """What a window without the first tokens costs against one with them."""
    cost = float((result.beyond("window") - result.beyond("sinks")).mean())
    return "much" if cost > 0.5 else "little" if cost > 0.1 else "nothing"


def bits(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        model = page.choice("rounded_model", MODELS, MODELS[1])
    with right:
        what = page.choice("what", ("apart", "both"), "apart")
    config = BitsConfig() if model == MODELS[0] else cache_bits.PUBLISHED
    page.job(cache_bits.compare, config, lambda view: draw_bits(page, config, view, what))
    page.offer_notebook(
        "from labcore.serving import cache_bits as lab\n\n"
        f"result = lab.run(lab.BitsConfig({', '.join(changed_fields(config))}))",
        "for name in result.nats:\n    print(name, result.extra(name).mean(axis=1).round(3))",
    )


def draw_bits(page: LabPage, config: BitsConfig, view: JobView | None, what: str) -> None:
    if view is None:
        name = "bits" if config == BitsConfig() else "bits-smollm2"
        kept = page.recording(name, BitsResult)
        page.caption("job.recorded")
        show_bits(page, kept.result, kept.provenance, what)
    elif view.result is not None:
        show_bits(page, view.result, MEASURED, what)


def show_bits(page: LabPage, result: BitsResult, source: Provenance, what: str) -> None:
    parts = ("keys", "values") if what == "apart" else ("both",)
    steady = {name: f"{share:.0%}" for name, share in result.steady.items()}
    st.markdown(
        page.text(
            "bits.outcome", base=f"{result.base_nats.mean():.2f}",
            without=f"{result.without_nats.mean():.2f}", **steady,
        )
    )  # fmt: skip
    page.figure(charts.rounding_cost(result, parts, page.text), source, "rounding_cost")
    page.figure(charts.numbers(result.key_map, page.text, "keys"), source, "key_map")
    page.figure(charts.numbers(result.value_map, page.text, "values"), source, "value_map")
