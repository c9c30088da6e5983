"""Attention maps on real models: where every head looks when it reads the learner's text.

One forward pass per model and text, cached for everybody; every view is a slice of it.
"""

import numpy as np
import streamlit as st

from app import model_picker
from app.charts import attention as charts
from app.labs.transformer import attention_comparison, attention_overview, attention_tool
from app.labs.transformer.attention_place import Place, band
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import attention_maps as lab
from labcore.architecture.head_patterns import (
    THRESHOLDS,
    entropy,
    head_scores,
    label_heads,
    pattern_targets,
)

SHOWN = (lab.attend, pattern_targets, head_scores, label_heads, entropy)

DEFAULT_MODEL = "world-copier"  # its heads have names, in either language
VIEWS = ("heads", "text", "overview", "rollout", "compare", "bertviz")
TEXT_LIMIT = 2000
SOURCES = ("itself", "first", "other")
FIRST_DEPTH = 2  # where the rollout opens: mixed already, not yet drawn to the first token


def experiment(page: LabPage) -> None:
    left, right = st.columns([3, 2])
    with left:
        text = page.text_area("text", page.text("default.text"), TEXT_LIMIT, lines=4)
    with right:
        name = model_picker.pick(page, DEFAULT_MODEL)
        config = read_config(page, name, text) if name else None
    if config is None:
        return
    result = page.run(lab.run, config)
    heads = result.kinds[pick_kind(page, result)]
    view = page.choice("view", VIEWS, "heads")
    say_what_was_cut(page, heads)
    follow_model(page, name, heads)
    if view in ("heads", "text"):
        page.part(draw_view, page, view, config, result, heads)
    else:  # these ask for predictions, which a part cannot
        draw_view(page, view, config, result, heads)
    if view == "heads":
        predict_labels(page, heads)
    offer_notebook(page, config, heads)


def draw_view(
    page: LabPage, view: str, config: lab.AttentionConfig, result: lab.AttentionResult, heads: lab.Heads
) -> None:  # fmt: skip
    """The layer and the head, by knob or by click, and what the view shows of them."""
    draw = {
        "heads": draw_heads,
        "text": draw_text,
        "overview": draw_overview,
        "rollout": draw_rollout,
        "compare": attention_comparison.draw,
        "bertviz": attention_tool.draw,
    }[view]
    take_clicks(page, heads)
    draw(page, place_of(page, config, result, heads, one_head=view != "rollout"))


# What is read.


def read_config(page: LabPage, name: str, text: str) -> lab.AttentionConfig:
    """The model's input; a translator may be given the beginning of its translation."""
    target = ""
    if page.model(name).card.kind == "encoder_decoder":
        target = page.text_area("target", "", TEXT_LIMIT, lines=1)
    return lab.AttentionConfig(name, text, target)


def pick_kind(page: LabPage, result: lab.AttentionResult) -> str:
    """The only kind of attention there is, or the learner's choice of three."""
    kinds = tuple(result.kinds)
    return page.choice("kind", kinds, kinds[-1]) if len(kinds) > 1 else kinds[0]


def place_of(
    page: LabPage, config: lab.AttentionConfig, result: lab.AttentionResult, heads: lab.Heads,
    one_head: bool,
) -> Place:  # fmt: skip
    """The layer, and the head if the view shows one; at first the one the lab opens on."""
    layers, count = heads.weights.shape[:2]
    layer, head = heads.opening
    if not one_head:
        depth = page.slider("depth", 0, layers - 1, min(FIRST_DEPTH, layers - 1))
        return Place(config, result, heads, depth, 0)
    left, right = st.columns(2)
    with left:
        layer = page.slider("layer", 0, layers - 1, layer)
    with right:
        head = page.slider("head", 0, count - 1, head)
    return Place(config, result, heads, layer, head)


def take_clicks(page: LabPage, heads: lab.Heads) -> None:
    """A click on a small head, a cell or a token turns the knobs."""
    if cell := page.clicked("heads"):
        shown = st.session_state.get("attention.head", heads.opening[1])
        page.controls.set("head", charts.first_head(heads, shown) + cell["head"])
        if cell["row"] is not None:
            page.controls.set("query", str(cell["row"]))
    if token := page.clicked("text"):
        page.controls.set("query", str(token["token"]))
    if cell := page.clicked("scores"):
        page.controls.set("layer", cell["row"])
        page.controls.set("head", cell["column"])
    if (chosen := page.clicked("labels")) and chosen["rows"]:
        label = charts.by_score(heads.labels)[chosen["rows"][0]]
        page.controls.set("layer", label.layer)
        page.controls.set("head", label.head)


def follow_model(page: LabPage, name: str, heads: lab.Heads) -> None:
    """Another model, or another kind of attention, opens on its own interesting head."""
    slot, now = "attention.opened", (name, heads.kind)
    if st.session_state.get(slot, now) != now:
        page.controls.set("layer", heads.opening[0])
        page.controls.set("head", heads.opening[1])
    st.session_state[slot] = now


def say_what_was_cut(page: LabPage, heads: lab.Heads) -> None:
    for prompt in {id(heads.queries): heads.queries, id(heads.keys): heads.keys}.values():
        if prompt.dropped_tokens:
            page.caption("cut.tokens", kept=len(prompt.ids), dropped=prompt.dropped_tokens)
        if prompt.dropped_characters:
            page.caption("cut.characters", dropped=prompt.dropped_characters)


# The views of one head.


def draw_heads(page: LabPage, place: Place) -> None:
    """All heads of a layer, one of them large, and where one of its tokens looks."""
    heads, layer, head = place.heads, place.layer, place.head
    say_what_it_earned(page, heads, layer, head)
    page.figure(charts.layer_heads(heads, layer, head, page.text), COMPUTED, "heads")
    query = pick_query(page, heads)
    weights = lab.looks_at(heads, layer, head, query)
    page.figure(charts.strongest(weights, heads.keys.labels, page.text), COMPUTED, "strongest")


def draw_text(page: LabPage, place: Place) -> None:
    """The sentence itself, coloured by what one token looks at."""
    heads, layer, head = place.heads, place.layer, place.head
    if heads.kind == "cross":
        page.caption("text.cross")
        return
    say_what_it_earned(page, heads, layer, head)
    query = pick_query(page, heads)
    page.figure(charts.over_text(heads, layer, head, query, page.text), COMPUTED, "text")


def draw_overview(page: LabPage, place: Place) -> None:
    """All heads of the model, and the chosen one in a sentence."""
    say_what_it_earned(page, place.heads, place.layer, place.head)
    attention_overview.draw(page, place)


def draw_rollout(page: LabPage, place: Place) -> None:
    """What each position is made of after a layer, followed down to the input."""
    if place.heads.kind == "cross":
        page.caption("rollout.cross")
        return
    layers = page.run(rollout_of, place.config)[place.heads.kind]
    if not page.guess_first("source", SOURCES, largest_source(layers[-1][-1])):
        return
    shares, labels = layers[place.layer], place.heads.queries.labels
    figure = charts.rollout_map(shares, labels, place.layer, page.text)
    page.figure(figure, COMPUTED, "rollout")


def largest_source(shares: np.ndarray) -> str:
    """Of which input token the last position holds most.  (T,)

    >>> largest_source(np.array([0.1, 0.2, 0.7])), largest_source(np.array([0.5, 0.2, 0.3]))
    ('itself', 'first')
    """
    place = int(shares.argmax())
    return "itself" if place == len(shares) - 1 else "first" if place == 0 else "other"


def rollout_of(config: lab.AttentionConfig) -> dict:
    """{kind: (L, T, T)} for every kind of self-attention in one pass."""
    kinds = lab.run(config).kinds
    return {kind: lab.flow(heads) for kind, heads in kinds.items() if kind != "cross"}


def pick_query(page: LabPage, heads: lab.Heads) -> int:
    """The token that looks: a knob, also turned by a click in the map."""
    labels = charts.numbered(heads.queries.labels)
    places = [str(place) for place in range(len(labels))]
    return int(
        page.choice(
            "query", places, places[-1], style="select", label=lambda place: labels[int(place)]
        )
    )


# Words on a head.


def say_what_it_earned(page: LabPage, heads: lab.Heads, layer: int, head: int) -> None:
    """Its label with the score that earned it, or that it has none; and how spread it looks."""
    where = {"layer": layer, "head": head}
    earned = next((one for one in heads.labels if (one.layer, one.head) == (layer, head)), None)
    scores = {name: float(all[layer, head]) for name, all in heads.scores.items()}
    judged = {name: score for name, score in scores.items() if score == score}
    unjudged = [page.text(f"pattern.{name}") for name in scores if name not in judged]
    if earned:
        sentence = page.text("head.labelled", **where, **scored(page, earned.pattern, earned.score))
    elif judged:
        nearest = max(judged, key=lambda name: judged[name] - THRESHOLDS[name])
        sentence = page.text("head.unlabelled", **where, **scored(page, nearest, judged[nearest]))
    else:
        sentence = page.text("head.cross" if heads.kind == "cross" else "head.unjudged", **where)
    spread = float(heads.entropy[layer, head])
    if spread == spread:
        sentence += " " + page.text("head.spread", spread=f"{spread:.2f}")
    st.markdown(sentence)
    if judged and unjudged:
        page.caption("head.too_few", patterns=page.text("list.comma").join(unjudged))


def scored(page: LabPage, pattern: str, score: float) -> dict[str, str]:
    return {
        "pattern": page.text(f"pattern.{pattern}"),
        "meaning": page.text(f"pattern.{pattern}.about"),
        "score": f"{score:.2f}",
        "bar": f"{THRESHOLDS[pattern]:.2f}",
    }


def predict_labels(page: LabPage, heads: lab.Heads) -> None:
    """How many of all heads earn a label? A layer on show tells little of the others."""
    if not heads.scores:
        return
    guess = page.predict("labelled", options=("none", "few", "some", "most"))
    share = len(heads.labels) / heads.entropy.size
    page.reveal(guess, band(share))
    if guess:
        page.caption("labelled.count", count=len(heads.labels), heads=heads.entropy.size)


def offer_notebook(page: LabPage, config: lab.AttentionConfig, heads: lab.Heads) -> None:
    page.offer_notebook(
        "from labcore.architecture import attention_maps\n\n"
        f"config = attention_maps.{config!r}\n"
        "result = attention_maps.run(config)\n"
        f"heads = result.kinds[{heads.kind!r}]\n"
        "heads.weights.shape  # layers, heads, queries, keys",
        "for label in sorted(heads.labels, key=lambda label: -label.score):\n"
        '    print(f"layer {label.layer} head {label.head}: {label.pattern} {label.score:.2f}")',
        "layer, head = heads.opening\n"
        "weights = heads.weights[layer, head]\n"
        "for query, row in zip(heads.queries.labels, weights):\n"
        '    print(f"{query!r:>16} looks at {heads.keys.labels[row.argmax()]!r} ({row.max():.2f})")',
    )
