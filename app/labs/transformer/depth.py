"""Depth and stability: what layers do to a signal before training, and which stacks can be trained."""

import streamlit as st

from app.charts import depth as charts
from app.labs.transformer import depth_trainability
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import depth_signal as lab
from labcore.architecture.deep_stacks import NORMS, PLACEMENTS, Design, rescale
from labcore.architecture.depth_signal import STANDARD, SignalConfig, SignalResult

SHOWN = (rescale, lab.run, lab.up_and_down, lab.gradient_norm, lab.alikeness, lab.apartness)

PARTS = ("signal", "trainability")
GAINS = ("0.25", "0.5", "1.0", "1.5", "2.0", "3.0", "4.0")
COLLAPSE_FROM = 8  # layers without residuals from which the guess can be judged
# What the guess about growth is about: nothing holds the stream, and the weights are twice as large.
BARE, BARE_LAYERS = Design(placement="none", gain=2.0, scaled_writers=False), 16
BARELY, NEARLY_ONE = 0.2, 0.95  # mean cosines: hardly alike, all the same


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, "signal")
    if part == "signal":
        signal(page)
    else:
        depth_trainability.draw(page)


def signal(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("collapse", options=("none", "some", "all"))
    growing = page.predict("growth", options=("tens", "thousands", "millions"))
    result, standard = page.run(lab.run, config), page.run(lab.run, lab.control(config))
    if not config.design.residual and config.num_layers >= COLLAPSE_FROM:
        page.reveal(guess, band(float(result.alike[:, -1].mean())))
    if config.design == BARE and config.num_layers == BARE_LAYERS:
        page.reveal(growing, size_band(grown(result)))
    say(page, result)
    is_standard = config.design == STANDARD
    panels(page, result, None if is_standard else standard)
    maps(page, config, result, None if is_standard else standard)
    offer_notebook(page, config)


def knobs(page: LabPage) -> SignalConfig:
    left, right = st.columns(2)
    with left:
        num_layers = page.slider("num_layers", 1, lab.MOST_LAYERS, 16)
        residual = page.toggle("residual", STANDARD.residual)
        scaled = page.toggle("scaled_writers", STANDARD.scaled_writers)
    with right:
        placement = page.choice("placement", PLACEMENTS, STANDARD.placement)
        gain = page.choice("gain", GAINS, str(STANDARD.gain), style="slide", label=gain_label)
    with st.expander(page.text("more"), key="depth-more"):
        first, second, third = st.columns(3)
        with first:
            norm = page.choice("norm", NORMS, STANDARD.norm)
        with second:
            mlp = page.toggle("mlp", STANDARD.mlp)
        with third:
            seed = page.number("seed", 0, 9999, 0)
    design = Design(residual, placement, norm, float(gain), scaled, mlp)
    return SignalConfig(design, num_layers, seed=seed)


def gain_label(gain: str) -> str:
    return f"× {float(gain):g}"


def band(cosine: float) -> str:
    """The answer to how alike tokens are.

    >>> band(0.1), band(0.4), band(0.999)
    ('none', 'some', 'all')
    """
    return "none" if cosine < BARELY else "some" if cosine < NEARLY_ONE else "all"


def grown(result: SignalResult) -> float:
    """How many times its size at the bottom the stream has at the top."""
    return float((result.size[:, -1] / result.size[:, 0]).mean())


def size_band(growth: float) -> str:
    """The answer to how large the stream becomes.

    >>> size_band(20), size_band(5e3), size_band(5e7)
    ('tens', 'thousands', 'millions')
    """
    return "tens" if growth < 100 else "thousands" if growth < 1e5 else "millions"


def say(page: LabPage, result: SignalResult) -> None:
    """The picture in three numbers; or that the numbers have left what a computer can hold."""
    growth = grown(result)
    ratio, alike = result.gradient_ratio, float(result.alike[:, -1].mean())
    if not result.readable:
        st.warning(page.text("overflow"), icon=":material/trending_up:")
        return
    st.markdown(
        page.text("summary", growth=f"{growth:.3g}", ratio=f"{ratio:.3g}", alike=f"{alike:.3f}")
    )


def panels(page: LabPage, result: SignalResult, standard: SignalResult | None) -> None:
    """Four quantities, layer by layer, two and two."""
    for pair in (charts.MEASURES[:2], charts.MEASURES[2:]):
        for column, measure in zip(st.columns(2), pair, strict=True):
            with column:
                figure = charts.layers(result, standard, measure, page.text)
                page.figure(figure, COMPUTED, measure)


def maps(
    page: LabPage, config: SignalConfig, result: SignalResult, standard: SignalResult | None
) -> None:
    """Every pair of tokens at one layer: the chosen design beside the standard one."""
    st.subheader(page.text("maps.title"), anchor=False)
    layer = page.slider("layer", 0, config.num_layers, config.num_layers)
    sides = {"chosen": result} | ({} if standard is None else {"standard": standard})
    for column, (side, shown) in zip(st.columns(2), sides.items(), strict=False):
        with column:
            title = page.text(f"series.{side}")
            page.figure(charts.cosine_map(shown, layer, title, page.text), COMPUTED, f"map_{side}")
    page.caption("maps.caption")


def offer_notebook(page: LabPage, config: SignalConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import depth_signal as lab\n"
        "from labcore.architecture.deep_stacks import Design\n\n"
        f"config = lab.{config!r}\n"
        "chosen, standard = lab.run(config), lab.run(lab.control(config))",
        "import numpy as np\nimport pandas as pd\n\n"
        "pd.DataFrame({\n"
        '    "stream": np.median(chosen.size, axis=0)[1:],\n'
        '    "gradient": np.median(chosen.gradient, axis=0),\n'
        '    "cosine": np.median(chosen.alike, axis=0)[1:],\n'
        '    "standard gradient": np.median(standard.gradient, axis=0),\n'
        '}, index=pd.RangeIndex(1, config.num_layers + 1, name="layer"))',
    )
