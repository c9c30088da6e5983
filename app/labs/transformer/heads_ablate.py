"""Part 1: a board of switches for every head of a model, and what the model says without them."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import streamlit as st

from app import model_picker
from app.charts import heads as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import head_ablation as lab
from labcore.architecture.head_gates import Head, places

DEFAULT_MODEL = "world-copier"
DEFAULT_OFF = "0.1"  # the copier's head that looks at the token before
TEXT_LIMIT = 2000
OFF_LIMIT = 1400
CHEAP = 5_000_000  # parameters: up to here the control and a whole row are read in an instant


def draw(page: LabPage) -> None:
    left, right = st.columns([3, 2])
    with right:
        name = model_picker.pick(page, DEFAULT_MODEL)
        if name is None:
            return
    with left:
        # The copier knows repetition and nothing else; the others know stories.
        example = page.text("default.text" if name == DEFAULT_MODEL else "default.story")
        text = page.text_area("text", example, TEXT_LIMIT, lines=3)
        target = ""
        if page.model(name).card.kind == "encoder_decoder":
            target = page.text_area("target", "", TEXT_LIMIT, lines=1)
    off = switches(page, name)
    method = page.controls.values["method"]
    config = lab.AblationConfig(name, text, target, off, method)
    result = page.run(lab.run, config)
    say_what_was_cut(page, result)
    left, right = st.columns([3, 2])
    with left:
        page.figure(charts.switchboard(result, page.text), COMPUTED, "board")
    with right:
        say_loss(page, config, result)
    asked = pick_token(page, name, result)
    if result.candidate_ids is None:
        page.caption("no_words")
        page.figure(charts.token_shifts(result, page.text), COMPUTED, "shifts")
    else:
        page.figure(charts.token_costs(result, asked, page.text), COMPUTED, "tokens")
        row = asked if page.model(name).card.kind == "encoder" else asked - 1
        page.figure(charts.guesses(result, row, page.text), COMPUTED, "guesses")
    draw_maps(page, result)
    ask_whether_it_adds_up(page, name, config, result)
    offer_notebook(page, config)


# The switches.


def switches(page: LabPage, name: str) -> tuple[Head, ...]:
    """The heads that are off: clicked on the board, typed, or brought by a link."""
    config = page.model(name).model.config
    rows, heads = len(places(config)), config.num_heads
    default = DEFAULT_OFF if name == DEFAULT_MODEL else ""
    follow_model(page, name)
    left, right = st.columns(2)
    with left:
        mode = page.choice("click", ("head", "row", "only"), "head")
    with right:
        page.choice("method", lab.METHODS, "zero")
    now = set(parse(st.session_state.get("heads.off", default), rows, heads))
    if cell := page.clicked("board"):
        now = turned(now, cell["row"], cell["column"], heads, mode)
        page.controls.set("off", written(now, heads))
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    with right:
        if st.button(page.text("all_on"), key="heads.all_on", icon=":material/toggle_on:"):
            page.controls.set("off", "")
    with left:
        typed = page.text_area("off", default, OFF_LIMIT, lines=1)
    off = parse(typed, rows, heads)
    unknown = len(typed.replace(",", " ").split()) - known(typed, rows, heads)
    if unknown:
        page.caption("off.unknown", count=unknown, places=rows - 1, heads=heads - 1)
    return off


def follow_model(page: LabPage, name: str) -> None:
    """Another model opens with all its heads on."""
    slot = "heads.opened"
    if st.session_state.get(slot, name) != name:
        page.controls.set("off", DEFAULT_OFF if name == DEFAULT_MODEL else "")
    st.session_state[slot] = name


def turned(off: set[Head], row: int, head: int, heads: int, mode: str) -> set[Head]:
    """What a click on a head leaves off.

    >>> sorted(turned({(0, 1)}, 0, 1, 2, "head")), sorted(turned({(0, 1)}, 0, 0, 2, "row"))
    ([], [(0, 0), (0, 1)])
    """
    whole = {(row, other) for other in range(heads)}
    if mode == "head":
        return off ^ {(row, head)}
    if mode == "row":
        return off - whole if whole <= off else off | whole
    return (off - whole) | (whole - {(row, head)})


def parse(typed: str, rows: int, heads: int) -> tuple[Head, ...]:
    """`0.1 2.*` as heads, in order; what names no head of this model is left out.

    >>> parse("0.1, 1.* 9.9 x", rows=2, heads=2)
    ((0, 1), (1, 0), (1, 1))
    """
    off = {head for word in typed.replace(",", " ").split() for head in _named(word, rows, heads)}
    return tuple(sorted(off))


def known(typed: str, rows: int, heads: int) -> int:
    return sum(bool(_named(word, rows, heads)) for word in typed.replace(",", " ").split())


def _named(word: str, rows: int, heads: int) -> list[Head]:
    row, _, head = word.partition(".")
    if not (row.isascii() and row.isdigit() and len(row) < 5 and int(row) < rows):
        return []
    if head == "*":
        return [(int(row), each) for each in range(heads)]
    if head.isascii() and head.isdigit() and len(head) < 5 and int(head) < heads:
        return [(int(row), int(head))]
    return []


def written(off: Iterable[Head], heads: int) -> str:
    """The other way round, a whole row as `2.*`.

    >>> written({(0, 1), (1, 0), (1, 1)}, heads=2)
    '0.1 1.*'
    """
    rows: dict[int, list[int]] = {}
    for row, head in sorted(off):
        rows.setdefault(row, []).append(head)
    words = [
        f"{row}.*" if len(each) == heads else " ".join(f"{row}.{head}" for head in each)
        for row, each in rows.items()
    ]
    return " ".join(words)


# The pictures and their words.


def say_what_was_cut(page: LabPage, result: lab.AblationResult) -> None:
    for prompt in {id(result.queries): result.queries, id(result.keys): result.keys}.values():
        if prompt.dropped_tokens:
            page.caption("cut.tokens", kept=len(prompt.ids), dropped=prompt.dropped_tokens)
        if prompt.dropped_characters:
            page.caption("cut.characters", dropped=prompt.dropped_characters)


def say_loss(page: LabPage, config: lab.AblationConfig, result: lab.AblationResult) -> None:
    """The loss with all heads, without those that are off, and without as many others: the control."""
    before, after = result.before.loss_nats, result.after.loss_nats
    if not np.isfinite(before):
        if result.candidate_ids is not None:
            page.caption("too_short")
        return
    st.metric(page.text("metric.before"), f"{before:.3f}")
    st.metric(
        page.text("metric.after", off=len(config.off)), f"{after:.3f}", f"{after - before:+.3f}",
        delta_color="inverse" if config.off else "off",
    )  # fmt: skip
    if not config.off:
        page.caption("control.none")
        return
    cheap = page.model(config.model).card.parameters < CHEAP
    if page.toggle("control", cheap):
        with st.spinner(page.text("control.running")):
            others = page.run(lab.control, config)
        st.metric(
            page.text("metric.control", count=len(others)), f"{others.mean():.3f}",
            f"{others.mean() - before:+.3f}", delta_color="inverse",
        )  # fmt: skip
        page.caption(
            "control.about", count=len(others), low=f"{others.min():.2f}",
            high=f"{others.max():.2f}", worse=int((others >= after).sum()),
        )  # fmt: skip


def pick_token(page: LabPage, name: str, result: lab.AblationResult) -> int:
    """The token that is guessed: a knob, also turned by a click in the text."""
    if token := page.clicked("tokens"):
        page.controls.set("asked", str(token["token"]))
    if result.candidate_ids is None:
        return 0
    count = len(result.queries.ids)
    encoder = page.model(name).card.kind == "encoder"
    labels = [*charts.numbered(result.queries.labels), page.text("after_the_end")]
    options = [str(place) for place in range(0 if encoder else 1, count + (not encoder))]
    rise = np.nan_to_num(result.after.token_nats - result.before.token_nats)
    default = str(int(rise.argmax()))
    return int(
        page.choice(
            "asked", options, default if default in options else options[-1], style="select",
            label=lambda place: labels[int(place)],
        )
    )  # fmt: skip


def draw_maps(page: LabPage, result: lab.AblationResult) -> None:
    """The maps of one row of heads; what a head reads depends on those below it."""
    with st.container(border=True, key="heads-maps"):
        names = [charts.place_name(place, page.text) for place in result.places]
        moved = result.map_change.max(axis=1)
        row = page.choice(
            "row", [str(number) for number in range(len(names))], str(int(moved.argmax())),
            style="select", label=lambda number: names[int(number)],
        )  # fmt: skip
        page.part(draw_row, page, result, int(row))


def draw_row(page: LabPage, result: lab.AblationResult, row: int) -> None:
    """One row, before or after heads were switched off."""
    when = page.choice("when", ("after", "before"), "after")
    head = int(result.map_change[row].argmax())
    reading = result.after if when == "after" else result.before
    figure, _ = charts.row_maps(result, reading, row, head, page.text)
    page.figure(figure, COMPUTED, "maps")


def ask_whether_it_adds_up(
    page: LabPage, name: str, config: lab.AblationConfig, result: lab.AblationResult
) -> None:
    """Each head of the row alone, then all of them: do the costs add up?"""
    if not np.isfinite(result.before.loss_nats):
        return
    row = int(page.controls.values["row"])
    place = charts.place_name(result.places[row], page.text)
    guess = page.predict("adds_up", options=("less", "same", "more"))
    page.caption("adds_up.row", place=place)
    if guess is None:
        return
    with st.spinner(page.text("control.running")):
        group = page.run(lab.group, lab.GroupConfig(replace(config, off=()), row))
    total = float(group.alone.sum())
    page.caption(
        "adds_up.result", place=place, together=f"{group.together:+.3f}", total=f"{total:+.3f}",
        each=", ".join(f"{rise:+.3f}" for rise in group.alone),
    )  # fmt: skip
    page.reveal(guess, verdict(total, group.together))


def verdict(total: float, together: float) -> str:
    """Within a fifth of the larger, or a hundredth of a nat, counts as the same.

    >>> verdict(0.2, 5.0), verdict(0.1, 0.11), verdict(1.0, 0.2)
    ('more', 'same', 'less')
    """
    slack = max(0.01, 0.2 * max(abs(total), abs(together)))
    if abs(together - total) <= slack:
        return "same"
    return "more" if together > total else "less"


def offer_notebook(page: LabPage, config: lab.AblationConfig) -> None:
    page.offer_notebook(
        "from labcore.architecture import head_ablation as lab\n\n"
        f"config = lab.{config!r}\n"
        "result = lab.run(config)\n"
        "print(result.before.loss_nats, '->', result.after.loss_nats)",
        "for token, before, after in zip(\n"
        "    result.queries.labels, result.before.token_nats, result.after.token_nats\n"
        "):\n"
        '    print(f"{token!r:>14} {before:7.3f} {after:7.3f}")',
        "print(result.map_change.round(2))  # how far each head's map has moved\n"
        "print(lab.control(config))  # the loss without as many heads drawn at random",
    )
