"""Multimodal: patches and where they look, pictures and captions that find each other, a reader."""

import streamlit as st

from app.charts import vision as charts
from app.labs.frontier import multimodal_pairs, multimodal_tell
from app.labs.frontier.multimodal_picture import picture
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.frontier import contrastive
from labcore.vision import looking as lab
from labcore.vision import own_picture, pair_training, patches, picture_reader
from labcore.vision.looking import EYES, Sight, SightConfig, as_pixels
from labcore.vision.patches import GRID
from labcore.vision.pictures import SIDE

SHOWN = (
    patches.patches, contrastive.similarity, contrastive.contrastive_loss,
    pair_training.batch_loss, pair_training.with_hard_negatives,
    picture_reader.with_picture, picture_reader.reading_loss,
)  # fmt: skip

PARTS = ("look", "pairs", "tell")
VIEWS = ("patch", "all")
EMPTY = as_pixels(own_picture.read_drawing(str(own_picture.ERASED) * SIDE**2))


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {
        "look": look,
        "pairs": multimodal_pairs.experiment,
        "tell": multimodal_tell.experiment,
    }[part](page)


def look(page: LabPage) -> None:
    pixels = picture(page)
    if pixels is None:
        return
    eye = page.choice("eye", EYES, EYES[0])
    sight = page.run(lab.look_at, SightConfig(pixels, eye))
    left, right = st.columns([2, 3])
    with left:
        page.figure(charts.windows(sight, page.text), COMPUTED, "windows")
    with right:
        page.figure(charts.nearest(sight, page.text.language, page.text), COMPUTED, "nearest")
        page.caption("nearest.cosine", cosine=f"{sight.nearest[page.text.language][0][2]:.2f}")
    page.part(draw_attention, page, sight)
    empty(page)
    page.offer_notebook(*notebook(page, SightConfig(pixels, eye)))


def draw_attention(page: LabPage, sight: Sight) -> None:
    """Where one patch looks, or what each receives."""
    view = page.choice("view", VIEWS, VIEWS[0])
    if view == "patch":
        left, right = st.columns(2)
        with left:
            row = page.slider("row", 1, GRID, 3)
        with right:
            column = page.slider("column", 1, GRID, 2)
        asking = (row - 1) * GRID + column - 1
        page.figure(charts.looks(sight, asking, page.text), COMPUTED, "looks")
    else:
        page.figure(charts.received(sight, page.text), COMPUTED, "received")


def empty(page: LabPage) -> None:
    """What a softmax over known captions says of a sheet with nothing on it."""
    guess = page.predict("empty", low=0.0, high=100.0, step=1.0, unit="%")
    if guess is None:
        return
    sight = page.run(lab.look_at, SightConfig(EMPTY))
    told, share, cosine = sight.nearest[page.text.language][0]
    page.reveal(guess, round(100 * share), tolerance=0.25)
    percent = f"{100 * share:.0f}"
    st.text(page.text("empty.outcome", told=told, percent=percent, cosine=f"{cosine:.2f}"))


def notebook(page: LabPage, config: SightConfig) -> tuple[str, ...]:
    return (
        "from labcore.vision import looking as lab\n\n"
        f"sight = lab.look_at(lab.SightConfig({', '.join(changed_fields(config))}))",
        f"for told, share, cosine in sight.nearest[{page.text.language!r}]:\n"
        "    print(told, round(share, 3), round(cosine, 3))\n"
        "print(sight.weights.shape)  # layers, heads, patches that ask, patches looked at",
    )
