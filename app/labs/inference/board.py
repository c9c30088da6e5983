"""The trade-off board: combine, measure, compare, and find the best point under one's own limits."""

import streamlit as st

from app.charts import board as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED
from labcore.compression import board as lab
from labcore.compression import board_models, constraints
from labcore.compression.board import BoardConfig, BoardResult, Point, PointConfig
from labcore.errors import LabInputError
from labcore.serving import narrow_cache

SHOWN = (
    board_models.build, lab.loss_through, lab.timed, lab.pareto, constraints.best, narrow_cache.encode,
)  # fmt: skip

BATCHES = ("1", "4", "16")
SHOW = ("1", "16", "all")
MINE = "board.mine"  # the points that this learner measured, in this session
CLOSE = 0.15  # times within this share of each other count as the same


def experiment(page: LabPage) -> None:
    kept = page.recording("field", BoardResult)
    guess = page.predict("bits", options=("faster", "same", "slower"))
    wishes = ask_wishes(page)
    show_board(page, kept.result, kept.provenance, wishes)
    page.reveal(guess, verdict(kept.result))
    st.subheader(page.text("own.title"), anchor=False)
    page.caption("own.about")
    measure_own(page)


def verdict(result: BoardResult) -> str:
    """What 4 bits do to the time of a token, one text at a time, in the recorded field."""
    times = {point.config: point.token_ms[0] for point in result.points}
    ratio = times[PointConfig(form="torch-4")] / times[PointConfig()]
    return "same" if abs(ratio - 1) <= CLOSE else "faster" if ratio < 1 else "slower"


def ask_wishes(page: LabPage) -> list[constraints.Wish]:
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


def spoken(page: LabPage, wish: constraints.Wish) -> str:
    sign = {
        ("below", True): "≤",
        ("below", False): "<",
        ("above", True): "≥",
        ("above", False): ">",
    }
    return f"{page.text(f'quantity.{wish.quantity}')} {sign[wish.direction, wish.inclusive]} {wish.limit:g}"


def show_board(page: LabPage, result: BoardResult, source, wishes: list[constraints.Wish]) -> None:
    left, middle, right = st.columns(3)
    with left:
        x = quantity(page, "x", "size_mb")
    with middle:
        y = quantity(page, "y", "loss_nats")
    with right:
        goal = quantity(page, "goal", "loss_nats")
    shown = page.choice("show", SHOW, SHOW[0])
    points = [p for p in result.points if shown == "all" or p.config.batch == int(shown)]
    own = [p for p in mine() if shown == "all" or p.config.batch == int(shown)]
    chosen = say_best(page, [*points, *own], wishes, goal) if wishes else None
    figure = charts.scatter(points, own, x, y, wishes, chosen, page.text)
    page.figure(figure, source, "scatter")


def quantity(page: LabPage, knob: str, default: str) -> str:
    return page.choice(
        knob, lab.QUANTITIES, default, "select", lambda name: page.text(f"quantity.{name}")
    )


def say_best(
    page: LabPage, points: list[Point], wishes: list[constraints.Wish], goal: str
) -> Point:
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
        missed = page.text("list.gap").join(spoken(page, wishes[n]) for n in found.missed)
        impossible = [spoken(page, w) for w, n in zip(wishes, found.alone, strict=True) if n == 0]
        key = "best.impossible" if impossible else "best.together"
        st.warning(
            page.text(key, name=name, missed=missed,
                      impossible=page.text("list.gap").join(impossible)),
            icon=":material/info:",
        )  # fmt: skip
    with st.expander(page.text("best.numbers"), key="board-best"):
        st.dataframe(charts.best_table(point, page.text), hide_index=True)
    return point


def measure_own(page: LabPage) -> None:
    try:
        point = knobs(page)
        board_models.build(*point.model)  # light: a combination that does not exist is said at once
    except LabInputError as error:
        page.error(error)
        return
    config = BoardConfig((point,))
    page.job(lab.measure, config, lambda view: draw(page, view))
    page.offer_notebook(
        "from labcore.compression import board as lab\n\n"
        f"point = lab.PointConfig({', '.join(changed_fields(point))})\n"
        "result = lab.run(lab.BoardConfig((lab.PointConfig(), point)))",
        "for one in result.points:\n"
        "    print(one.config)\n"
        "    print('MB', round(one.size_mb, 3), 'nats', round(one.loss_nats, 4), 'ms', one.token_ms)",
    )


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
    with right:
        form = page.choice(
            "form", board_models.FORMS, "torch-8", label=lambda f: page.text(f"form.{f}")
        )
        cache = page.choice(
            "cache", narrow_cache.FORMS, "fp32", label=lambda f: page.text(f"form.{f}")
        )
        batch = int(page.choice("batch", BATCHES, "1", label=str))
    return PointConfig(student, cut, repair, form, cache, batch)


def draw(page: LabPage, view: JobView | None) -> None:
    if view is None or view.result is None:
        return
    point = view.result.points[0]
    if point not in mine():
        st.session_state[MINE] = [*mine(), point]
    st.markdown(page.text("own.outcome", name=charts.named(point.config, page.text),
                          loss=f"{point.loss_nats:.4f}", ms=f"{point.token_ms[0]:.2f}"))  # fmt: skip
    page.badge(MEASURED)
    st.dataframe(charts.best_table(point, page.text), hide_index=True)
    page.caption("own.placed")


def mine() -> list[Point]:
    return st.session_state.get(MINE, [])
