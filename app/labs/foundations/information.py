"""Information: entropy and its kin at a word, two directions of a divergence, and what distance tells."""

import math

import streamlit as st

from app.charts import information as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.foundations import entropy, mutual, next_word, two_humps
from labcore.foundations.entropy import EntropyConfig
from labcore.foundations.mutual import MutualConfig
from labcore.foundations.two_humps import HumpsConfig

SHOWN = (
    entropy.entropy, entropy.cross_entropy, entropy.divergence, entropy.bits_per_byte,
    two_humps.log_humps, two_humps.run, mutual.mutual_information, mutual.exact_by_distance,
)  # fmt: skip

PARTS = ("bits", "fit", "mutual")
LANGUAGES = ("en", "zh")
TEMPERATURES = ("0.25", "0.5", "0.7", "0.85", "1", "1.2", "1.5", "2", "3")
WORD, HUMPS, MUTUAL = EntropyConfig(), HumpsConfig(), MutualConfig()


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {"bits": draw_bits, "fit": draw_fit, "mutual": draw_mutual}[part](page)


def draw_bits(page: LabPage) -> None:
    guess = page.predict("cheapest", options=("below", "one", "above"))
    picked = page.clicked("story")
    if picked:
        page.controls.set("position", max(1, int(picked["token"])))
    left, right = st.columns(2)
    with left:
        language = page.choice("language", LANGUAGES, page.text.language)
        story = page.slider("story", 0, next_word.STORIES - 1, WORD.story)
    with right:
        temperature = float(page.choice("temperature", TEMPERATURES, "1", style="slide", label=str))
        position = page.slider("position", 1, 40, WORD.position)
    config = EntropyConfig(language, story, position, temperature)
    result = page.run(entropy.run, config)
    page.figure(charts.story(result, page.text), COMPUTED, "story")
    st.text(page.text("bits.place", beginning=" ".join(result.labels[: result.position])))
    st.markdown(
        page.text(
            "bits.outcome", entropy=f"{result.entropy:.3f}", bits=f"{result.entropy / math.log(2):.2f}",
            choices=f"{math.exp(result.entropy):.1f}", cross=f"{result.cross_entropy:.3f}",
            forward=f"{result.forward:.4f}",
            reverse="∞" if math.isinf(result.reverse) else f"{result.reverse:.4f}",
            outside=f"{100 * result.outside:.2g}",
        )
    )  # fmt: skip
    page.figure(charts.both(result, page.text), COMPUTED, "both")
    page.figure(charts.temperatures(result, temperature, page.text), COMPUTED, "temperatures")
    best = result.temperatures[result.by_temperature.argmin()]
    page.reveal(guess, "below" if best < 0.95 else "above" if best > 1.05 else "one")
    page.caption(
        "bits.story", nats=f"{result.nats:.3f}", perplexity=f"{math.exp(result.nats):.2f}",
        floor=f"{result.floor:.3f}", tokens=result.tokens, bytes=result.bytes,
        per_byte=f"{entropy.bits_per_byte(result.nats, result.tokens, result.bytes):.3f}",
    )  # fmt: skip
    page.offer_notebook(
        f"from labcore.foundations import entropy as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.entropy, result.cross_entropy, result.forward)\n"
        "print(lab.bits_per_byte(result.nats, result.tokens, result.bytes))",
    )


def draw_fit(page: LabPage) -> None:
    guess = page.predict("reverse", options=("middle", "one", "narrow"))
    left, right = st.columns(2)
    with left:
        apart = page.slider("apart", 0.0, 6.0, HUMPS.apart, 0.25)
        share = page.slider("share", 5, 95, round(100 * HUMPS.share), 5) / 100
    with right:
        width = page.slider("width", 0.3, 1.5, HUMPS.width, 0.1)
    config = HumpsConfig(apart, share, width)
    result = page.run(two_humps.run, config)
    page.figure(charts.fits(result, page.text), COMPUTED, "fits")
    st.markdown(
        page.text(
            "fit.outcome",
            **{f"{name}_mean": f"{result.best[name][0]:.2f}" for name in charts.FITS},
            **{f"{name}_width": f"{result.best[name][1]:.2f}" for name in charts.FITS},
            **{f"{name}_kl": f"{result.lowest[name]:.3f}" for name in charts.FITS},
            **{f"{name}_other": f"{result.crossed[name]:.2f}" for name in charts.FITS},
            mean=f"{result.moments[0]:.2f}", deviation=f"{result.moments[1]:.2f}",
            valleys=result.valleys,
        )
    )  # fmt: skip
    for column, name in zip(st.columns(2), charts.FITS, strict=True):
        with column:
            page.figure(charts.landscape(result, name, page.text), COMPUTED, name)
    page.reveal(guess, settles(page.run(two_humps.run, HUMPS)))
    page.offer_notebook(
        f"from labcore.foundations import two_humps as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.best, result.lowest, result.crossed)",
    )


def settles(result: two_humps.HumpsResult) -> str:
    """Where the reverse fit ends with the humps four apart."""
    mean, width = result.best["reverse"]
    if width > 1.5:
        return "middle"
    return "one" if abs(mean) > 1 else "narrow"


def beside_zero(result: mutual.MutualResult) -> str:
    """On which side of zero the estimates of the shuffled text lie."""
    low, high = result.shuffled.min(), result.shuffled.max()
    return "above" if low > 0 else "below" if high < 0 else "zero"


def draw_mutual(page: LabPage) -> None:
    guess = page.predict("shuffled", options=("zero", "above", "below"))
    left, right = st.columns(2)
    with left:
        source = page.choice("source", mutual.SOURCES, MUTUAL.source)
    with right:
        counts = tuple(map(str, mutual.LETTER_COUNTS))
        letters = int(page.choice("letters", counts, str(MUTUAL.letters), style="slide", label=str))
    seed = page.number("seed", 0, 9999, 0)
    config = MutualConfig(source, letters, seed)
    result = page.run(mutual.run, config)
    st.text(result.sample)
    page.figure(charts.mutual(result, page.text), COMPUTED, "mutual")
    st.markdown(
        page.text(
            "mutual.outcome", symbols=result.symbols, letters=f"{letters:,}",
            entropy=f"{result.entropy:.2f}", near=f"{result.plug_in[0]:.3f}",
            shuffled=f"{result.shuffled.mean():.3f}", rule=f"{result.bias:.3f}",
            pairs=f"{result.symbols**2:,}",
        )
    )  # fmt: skip
    if result.symbols**2 > letters / 2:
        page.caption("mutual.beyond")
    page.reveal(guess, beside_zero(result))
    page.offer_notebook(
        f"from labcore.foundations import mutual as lab\n\nresult = lab.run(lab.{config!r})",
        "for row in zip(result.distances, result.plug_in, result.shuffled):\n    print(*row)",
    )
