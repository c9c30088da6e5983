"""The trade-off board: combine, measure, compare, and find the best point under one's own limits."""

import streamlit as st

from app.charts import board as charts
from app.job import JobView
from app.literal import csv
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.compression import board as lab
from labcore.compression import board_models, constraints
from labcore.compression.board import BoardConfig, BoardResult, Point, PointConfig
from labcore.compression.constraints import Wish
from labcore.errors import LabInputError
from labcore.serving import narrow_cache

SHOWN = (
    board_models.build, lab.loss_through, lab.timed, lab.pareto, constraints.best, narrow_cache.encode,
)  # fmt: skip

BATCHES = ("1", "4", "16")
SHOW = ("1", "16", "all")
WHAT = ("own", "field")
MINE, HERE = (
    "board.mine",
    "board.here",
)  # what was measured in this session: points, the whole field
CLOSE = 0.15  # times within this share of each other count as the same
CLOSE_GAIN = 0.25  # a guess within a quarter of the truth is a good one
TENTH, HALF = 1.1, 1.5  # a token's time with a LoRA kept apart, to that with the same LoRA merged
FIELD = BoardConfig(lab.field(), rounds=3)


def experiment(page: LabPage) -> None:
    kept = page.recording("field", BoardResult)
    guess = page.predict("bits", options=("faster", "same", "slower"))
    wishes = ask_wishes(page)
    place = st.container()  # drawn last, so that what was measured just now is on it
    page.reveal(guess, verdict(kept.result))
    guess = page.predict("batch", low=1.0, high=32.0, step=0.5, unit="×")
    page.reveal(guess, batching(kept.result), CLOSE_GAIN)
    st.subheader(page.text("own.title"), anchor=False)
    if page.choice("what", WHAT, WHAT[0]) == "own":
        page.caption("own.about")
        measure_own(page, kept.result)
    else:
        page.caption("field.about")
        measure_field(page)
    here = st.session_state.get(HERE)
    with place:
        source = MEASURED if here else kept.provenance
        page.part(show_board, page, here or kept.result, source, wishes)


def verdict(result: BoardResult) -> str:
    """What 4 bits do to the time of a token, one text at a time, in the recorded field."""
    times = {point.config: point.token_ms[0] for point in result.points}
    ratio = times[PointConfig(form="torch-4")] / times[PointConfig()]
    return "same" if abs(ratio - 1) <= CLOSE else "faster" if ratio < 1 else "slower"


def batching(result: BoardResult) -> float:
    """How many times as many tokens per second sixteen texts at once bring, in the recorded field."""
    rates = {point.config: point.tokens_per_second for point in result.points}
    return rates[PointConfig(batch=16)] / rates[PointConfig()]


def apart(result: BoardResult) -> str:
    """What the same repair costs in time if it is computed beside the weights, in the recorded field."""
    times = {point.config: point.token_ms[0] for point in result.points}
    merged, beside = (times[PointConfig(cut=50, repair=way)] for way in ("merged", "apart"))
    ratio = beside / merged
    return "tenth" if ratio < TENTH else "quarter" if ratio < HALF else "double"


def ask_wishes(page: LabPage) -> list[Wish]:
    """The limits, as typed; what was understood is said, and what was not."""
    text = page.text_area("wishes", page.text("wishes.default"), limit=constraints.MOST_CHARACTERS)
    try:
        wishes, unread = constraints.parse(text)
    except LabInputError as error:
        page.error(error)
        return []
    if wishes:
        said = page.text("list.gap").join(spoken(page, wish) for wish in wishes)
        st.caption(page.text("wishes.understood", said=said))
    for part in unread:
        st.caption(page.text("wishes.unread"))
        st.text(part)
    return wishes


def spoken(page: LabPage, wish: Wish) -> str:
    signs = {"below": "<≤", "above": ">≥"}
    sign = signs[wish.direction][wish.inclusive]
    return f"{page.text(f'quantity.{wish.quantity}')} {sign} {wish.limit:g}"


def show_board(page: LabPage, result: BoardResult, source: Provenance, wishes: list[Wish]) -> None:
    left, middle, right = st.columns(3)
    with left:
        x = quantity(page, "x", "size_mb")
    with middle:
        y = quantity(page, "y", "loss_nats")
    with right:
        goal = quantity(page, "goal", "loss_nats")
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        shown = page.choice("show", SHOW, SHOW[0])
    with right:
        above = page.toggle("above", True) if "loss_nats" in (x, y) else True
    points = [p for p in result.points if shown == "all" or p.config.batch == int(shown)]
    own = mine()  # always all of them: who measures a point wants to see it
    chosen = say_best(page, [*points, *own], wishes, goal) if wishes else None
    figure = charts.scatter(
        points, own, x, y, wishes, chosen, result.floor_nats, above, source.kind, page.text
    )
    page.figure(figure, source, "scatter")
    st.download_button(
        page.text("board.csv"),
        lambda: csv(charts.table(result.points, mine(), source.kind, page.text)),
        file_name="board.csv", mime="text/csv", icon=":material/download:", type="tertiary",
        on_click="ignore", key="board.csv",
    )  # fmt: skip


def quantity(page: LabPage, knob: str, default: str) -> str:
    return page.choice(
        knob, lab.QUANTITIES, default, "select", lambda name: page.text(f"quantity.{name}")
    )


def say_best(page: LabPage, points: list[Point], wishes: list[Wish], goal: str) -> Point:
    """The best point that keeps every wish, or which wish stands in the way."""
    found = constraints.best(points, wishes, goal)
    point = points[found.at]
    name = charts.named(point.config, page.text)
    if found.feasible:
        st.success(
            page.text("best.found", feasible=found.feasible, points=len(points), name=name,
                      goal=page.text(f"quantity.{goal}"), value=f"{lab.value(point, goal):.4g}"),
            icon=":material/check_circle:",
        )  # fmt: skip
    else:
        gap = page.text("list.gap")
        missed = gap.join(miss(page, point, wishes[n]) for n in found.missed)
        impossible = [spoken(page, w) for w, n in zip(wishes, found.alone, strict=True) if n == 0]
        key = "best.impossible" if impossible else "best.together"
        st.warning(
            page.text(key, name=name, missed=missed, impossible=gap.join(impossible)),
            icon=":material/info:",
        )
    with st.expander(page.text("best.numbers"), key="board-best"):
        st.dataframe(charts.best_table(point, page.text), hide_index=True)
    return point


def miss(page: LabPage, point: Point, wish: Wish) -> str:
    number = lab.value(point, wish.quantity)
    return page.text("best.miss", wish=spoken(page, wish), value=f"{number:.4g}",
                     share=f"{wish.excess(number):.1%}")  # fmt: skip


def measure_own(page: LabPage, field: BoardResult) -> None:
    page.reveal(page.predict("apart", options=("tenth", "quarter", "double")), apart(field))
    try:
        point = knobs(page)
        board_models.check_exists(point.student, point.cut, point.repair, point.form)
    except LabInputError as error:
        page.error(error)
        return
    # beside the plain model, in turns: times of another day or machine say nothing about these
    plain = PointConfig(batch=point.batch)
    config = BoardConfig((plain, point) if point != plain else (plain,))
    page.job(lab.measure, config, lambda view: draw(page, view))
    page.offer_notebook(
        "from labcore.compression import board as lab\n\n"
        f"point = lab.PointConfig({', '.join(changed_fields(point))})\n"
        f"result = lab.run(lab.BoardConfig((lab.PointConfig(batch={point.batch}), point)))",
        "for one in result.points:\n"
        "    print(one.config)\n"
        "    print('MB', round(one.size_mb, 3), 'nats', round(one.loss_nats, 4), 'ms', one.token_ms)",
    )


def measure_field(page: LabPage) -> None:
    page.job(lab.measure_field, FIELD, lambda view: keep_field(page, view))
    page.offer_notebook(
        "from labcore.compression import board as lab\n\n"
        "result = lab.run(lab.BoardConfig(lab.field()[:8], rounds=3))  # all of it takes minutes",
        "import pandas as pd\n\npd.DataFrame(lab.rows(result.points))",
    )


def keep_field(page: LabPage, view: JobView | None) -> None:
    if view is not None and view.result is not None:
        st.session_state[HERE] = view.result
        page.caption("field.placed")


def knobs(page: LabPage) -> PointConfig:
    left, right = st.columns(2)
    with left:
        student = page.choice("model", ("whole", "student"), "whole") == "student"
        cut, repair = 0, "none"
        if not student:
            cut = int(page.choice("cut", tuple(map(str, board_models.CUTS)), "0",
                                  label=lambda n: f"{n} %"))  # fmt: skip
        if cut:
            repair = page.choice("repair", board_models.REPAIRS, "none")
        zeros = int(page.choice("zeros", tuple(map(str, board_models.ZEROS)), "0",
                                label=lambda n: f"{n} %"))  # fmt: skip
    with right:
        form = page.choice(
            "form", board_models.FORMS, "torch-8", label=lambda f: page.text(f"form.{f}")
        )
        cache = page.choice(
            "cache", narrow_cache.FORMS, "fp32", label=lambda f: page.text(f"form.{f}")
        )
        batch = int(page.choice("batch", BATCHES, "1", label=str))
    return PointConfig(student, cut, repair, zeros, form, cache, batch)


def draw(page: LabPage, view: JobView | None) -> None:
    if view is None or view.result is None:
        return
    measured = view.result.points
    new = {point.config for point in measured}
    st.session_state[MINE] = [*(p for p in mine() if p.config not in new), *measured]
    plain, point = measured[0], measured[-1]
    key = "own.plain" if point is plain else "own.outcome"
    st.markdown(
        page.text(key, name=charts.named(point.config, page.text), loss=f"{point.loss_nats:.4f}",
                  ms=f"{point.token_ms[0]:.2f}", plain=f"{plain.token_ms[0]:.2f}",
                  ratio=f"{point.token_ms[0] / plain.token_ms[0]:.2f}")
    )  # fmt: skip
    page.badge(MEASURED)
    st.dataframe(charts.best_table(point, page.text), hide_index=True)


def mine() -> list[Point]:
    """What this learner measured, each combination as it was measured last."""
    return st.session_state.get(MINE, [])
