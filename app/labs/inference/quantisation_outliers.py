"""Planted outlier channels and their cures, over three seeds; and SmolLM2's own."""

import streamlit as st

from app.charts import quantisation_outliers as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.compression import outliers as lab
from labcore.compression.outliers import OutliersConfig, OutliersResult
from labcore.compression.quantise_smollm import PLACES, SmolResult
from labcore.compression.quantise_study import OUTLIER_CASES, OutlierStudy

DEFAULT = OutliersConfig()
FACTORS = ("1", "3", "10", "30", "100")
NORMS = [f"{n // 2}.{('attn', 'mlp')[n % 2]}" for n in range(8)]
VIEWS = ("try", "seeds", "smollm2")


def draw_part(page: LabPage) -> None:
    view = page.choice("view", VIEWS, VIEWS[0])
    page.caption(f"view.{view}")
    {"try": own, "seeds": seeds, "smollm2": smollm2}[view](page)


def own(page: LabPage) -> None:
    config = knobs(page)
    guess = None
    if config.kind == "weights":
        guess = page.predict("keep", options=lab.RANKINGS)
    page.job(lab.compare, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(
        "from labcore.compression import outliers as lab\n\n"
        f"result = lab.run(lab.OutliersConfig({', '.join(changed_fields(config))}))",
        "for case, clean, planted in zip(result.cases, result.clean_losses, result.losses):\n"
        '    print(f"{case:16} clean {clean:.4f}, planted {planted:.4f} nats")',
    )


def knobs(page: LabPage) -> OutliersConfig:
    left, right = st.columns(2)
    with left:
        kind = page.choice("rounded", lab.KINDS, DEFAULT.kind)
        factor = page.choice("factor", FACTORS, "30", style="slide", label=str)
    with right:
        if kind == "inputs":
            inputs = page.slider("input_bits", 4, 8, DEFAULT.input_bits)
            alpha = page.slider("alpha", 0.0, 1.0, DEFAULT.alpha, 0.05)
            bits = DEFAULT.weight_bits
        else:
            bits = page.slider("weight_bits", 2, 8, 3)
            inputs, alpha = DEFAULT.input_bits, DEFAULT.alpha
    with st.expander(page.text("more.outliers"), key="quantisation-more-outliers"):
        left, right = st.columns(2)
        with left:
            channels = page.slider("channels", 1, 8, DEFAULT.channels)
        with right:
            seed = page.number("seed", 0, 99, DEFAULT.seed)
    return OutliersConfig(kind, float(factor), channels, bits, inputs, alpha, seed)


def draw(page: LabPage, config: OutliersConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        recorded = page.recording("outliers", OutliersResult)
        page.caption("job.recorded")
        show(page, config, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        show(page, config, view.result, MEASURED)
        if config.kind == "weights":
            page.reveal(guess, best_kept(view.result))


def show(page: LabPage, config: OutliersConfig, result: OutliersResult, source: Provenance) -> None:
    st.markdown(
        page.text(
            "outliers.outcome", channels=", ".join(map(str, result.planted)),
            factor=f"{config.factor:g}", before=f"{result.full_loss:.6f}",
            after=f"{result.planted_loss:.6f}",
        )
    )  # fmt: skip
    page.figure(charts.cases(result, page.text), source, "cases")
    norm = NORMS.index(
        page.choice("norm", NORMS, "3.mlp", style="select", label=lambda n: norm_name(page, n))
    )
    page.figure(charts.channels(result, norm, "inputs", page.text), source, "inputs")
    if config.kind == "inputs":
        vanished = {
            kind: f"{100 * sizes.vanished[norm]:.0f}" for kind, sizes in result.sizes.items()
        }
        st.markdown(page.text("sizes.outcome", bits=config.input_bits, **vanished))
        page.figure(charts.sizes(result, norm, page.text), source, "input_sizes")
    page.figure(charts.channels(result, norm, "weights", page.text), source, "weights")


def norm_name(page: LabPage, norm: str) -> str:
    layer, part = norm.split(".")
    return page.text(f"norm.{part}", n=layer)


def best_kept(result: OutliersResult) -> str:
    """The ranking whose columns, kept whole, leave the lowest loss."""
    losses = dict(zip(result.cases, result.losses, strict=True))
    return min(lab.RANKINGS, key=lambda ranking: losses[f"keep-{ranking}"])


def seeds(page: LabPage) -> None:
    recorded = page.recording("planted", OutlierStudy)
    setting = page.choice("setting", tuple(OUTLIER_CASES), "inputs-6", style="select")
    case = recorded.result.cases[setting]
    figure = charts.seeds(case, recorded.result.full_loss, page.text)
    page.figure(figure, recorded.provenance, "seeds")
    page.offer_notebook(
        "from labcore.compression.quantise_study import planted\n\nstudy = planted(seeds=(0,))",
        "for name, case in study.cases.items():\n"
        "    print(name, dict(zip(case.names, case.losses[0].round(4))))",
    )


def smollm2(page: LabPage) -> None:
    recorded = page.recording("smollm2", SmolResult)
    result = recorded.result
    page.figure(charts.ratios(result, page.text), recorded.provenance, "ratios")
    place = page.choice("place", tuple(PLACES), "mlp.down", style="pills",
                        label=lambda p: page.text(f"place.{p}"))  # fmt: skip
    page.figure(charts.profile(result, place, page.text), recorded.provenance, "profile")
    st.markdown(f"**{page.text('smol.title')}**")
    page.badge(recorded.provenance)
    st.dataframe(charts.smol_table(result, page.text), hide_index=True, height="content")
    page.caption("smol.about", full=f"{result.full_loss:.3f}")
