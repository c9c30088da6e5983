"""Safety in depth: the pipeline; attacks, injection and watermark stand in modules of their own."""

import streamlit as st

from app.charts import guard as charts
from app.labs.frontier import guard_attacks, guard_injection, guard_watermark
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.frontier import watermark
from labcore.guard import (
    adaptive,
    bucket,
    classifiers,
    injection,
    marked_text,
    personal,
    pipeline,
    rates,
    taint,
    undo,
)
from labcore.guard.pipeline import LAYERS, MOST_SIGNS, Seen, WalkConfig

SHOWN = (
    bucket.ask, personal.luhn, personal.id_check, undo.readings, classifiers.fit_logistic, rates.roc,
    adaptive.attempt, taint.allowed, injection.defended, watermark.green_tokens, marked_text.verdict,
)  # fmt: skip

PARTS = ("pipeline", "attacks", "injection", "watermark")
EXAMPLES = ("seal", "disguised", "look_alike", "personal", "page", "leak", "own")
TEXTS = ("message", "fetched", "answer")
ICONS = {
    "passes": ":green[:material/check_circle:]", "changed": ":blue[:material/edit:]",
    "stops": ":red[:material/block:]", "off": ":gray[:material/toggle_off:]",
    "unreached": ":gray[:material/more_horiz:]",
}  # fmt: skip
DEFAULT = WalkConfig("")


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {
        "pipeline": walk,
        "attacks": guard_attacks.experiment,
        "injection": guard_injection.experiment,
        "watermark": guard_watermark.experiment,
    }[part](page)


def walk(page: LabPage) -> None:
    example = page.choice("example", EXAMPLES, EXAMPLES[0], style="pills")
    if example == "own":
        texts = {
            name: page.text_area(name, page.text(f"example.look_alike.{name}"), MOST_SIGNS)
            for name in TEXTS
        }
    else:
        texts = {name: page.text(f"example.{example}.{name}") for name in TEXTS}
        for name in TEXTS:
            page.caption(f"knob.{name}")
            st.text(texts[name])
    page.caption("layers.about")
    columns = st.columns(4)
    on = []
    for number, layer in enumerate(LAYERS):
        with columns[number % 4]:
            if page.toggle(f"layer_{layer}", True):
                on.append(layer)
    left, right = st.columns(2)
    with left:
        threshold = page.slider("threshold", 0, 100, 50, 5)
        per_second = page.slider("per_second", 0.1, 2.0, DEFAULT.per_second, 0.1)
    with right:
        earlier = page.slider("earlier", 0, 20, DEFAULT.earlier)
        seconds = page.slider("seconds_apart", 0.0, 10.0, DEFAULT.seconds_apart, 0.5)
    try:
        config = WalkConfig(
            texts["message"], texts["fetched"], texts["answer"], tuple(on), threshold / 100, earlier,
            seconds, per_second,
        )  # fmt: skip
    except LabInputError as error:
        page.error(error)
        return
    seen = page.run(pipeline.walk, config)
    stopped = next((one.layer for one in seen if one.verdict == "stops"), None)
    if stopped:
        st.markdown(page.text("walk.stopped", layer=page.text(f"layer.{stopped}")))
    else:
        st.markdown(page.text("walk.through", on=len(on)))
    for number, one in enumerate(seen, start=1):
        draw_layer(page, number, one)
    page.figure(charts.bucket(page.run(pipeline.levels, config), page.text), COMPUTED, "bucket")
    page.offer_notebook(
        f"from labcore.guard import pipeline as lab\n\nconfig = lab.{config!r}",
        "for seen in lab.walk(config):\n    print(seen.layer, seen.verdict, seen.score, seen.found)",
    )


def draw_layer(page: LabPage, number: int, one: Seen) -> None:
    """What a layer saw and said; the learner's text as text, never as markdown."""
    with st.container(border=True, key=f"guard-layer-{one.layer}", gap="small"):
        score = "" if one.score is None else page.text(f"score.{one.layer}", score=one.score)
        verdict = page.text(f"verdict.{one.verdict}")
        st.markdown(
            f"{ICONS[one.verdict]} **{number}. {page.text(f'layer.{one.layer}')}** · {verdict} {score}"
        )
        page.caption(f"layer.{one.layer}.about")
        if one.verdict in ("off", "unreached"):
            return
        if one.found:
            names = [page.text.find(f"found.{name}") or name for name in one.found]
            st.text(page.text("walk.found", found=", ".join(names)))
        if one.layer != "rate":
            st.text(one.left or page.text("walk.nothing"))
