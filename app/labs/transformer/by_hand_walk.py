"""The worksheet: tokens, switches, and every number from Q, K and V to their gradients."""

import streamlit as st

from app.charts import by_hand as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.architecture import by_hand as lab
from labcore.errors import LabInputError

TOKENS_LIMIT, TOKEN_LIMIT = 200, 16  # characters of the line, and of one token
WIDTH, VECTOR_WIDTH = 4, 3


def draw(page: LabPage) -> None:
    tokens, config_of = knobs(page)
    take_edit(page)
    given = keep_numbers(page, tokens, config_of)
    config = lab.ByHandConfig(given, **config_of["switches"])
    walk = page.run(lab.run, config)
    fixed = {name for name, _ in given if page.controls.fixed(name)}
    figure = charts.worksheet(walk, tokens, fixed, page.text)
    page.figure(figure, COMPUTED, "walk")
    left, right = st.columns([3, 1], vertical_alignment="center")
    with left:
        page.caption("walk.loss", loss=f"{walk.loss:.4g}", worst=f"{walk.worst:.1g}")
    with right:
        st.button(
            page.text("reset"), key="by_hand.reset", icon=":material/restart_alt:",
            on_click=forget, args=(page,), width="stretch",
        )  # fmt: skip
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> tuple[list[str], dict]:
    """The tokens and the switches; the sizes follow."""
    left, right = st.columns(2)
    with left:
        tokens = tokens_of(page.text_area("tokens", page.text("default.tokens"), TOKENS_LIMIT, 1))
        mask = page.choice("mask", lab.MASKS, "causal")
    with right:
        start = page.choice("start", tuple(lab.STARTS), "qkv")
        scale = page.choice("scale", lab.SCALES, "sqrt_d")
    with st.expander(page.text("more"), key="by_hand-more"):
        width = page.slider("width", 1, lab.MOST_WIDTH, WIDTH)
        vector = page.slider("vector", 1, lab.MOST_WIDTH, VECTOR_WIDTH) if start == "x" else 0
    switches = {"start": start, "scale": scale, "mask": mask}
    return tokens, {"switches": switches, "width": width, "vector": vector}


def tokens_of(line: str) -> list[str]:
    """The words of a line; a line of one word in letters that stand alone, its letters."""
    words = line.split()
    if len(words) == 1 and not words[0].isascii():
        words = list(words[0])
    if not words:
        raise LabInputError("tokens", line, "not_empty")
    if len(words) > lab.MOST_TOKENS:
        raise LabInputError("tokens", len(words), "at_most_tokens", limit=lab.MOST_TOKENS)
    return [word[:TOKEN_LIMIT] for word in words]


def take_edit(page: LabPage) -> None:
    """A number that the learner has typed into the sheet."""
    edit = page.clicked("walk")
    if not edit or edit["matrix"] not in lab.FIRST or page.controls.fixed(edit["matrix"]):
        return
    rows = tuple(tuple(float(number) for number in row) for row in edit["values"])
    page.controls.set(edit["matrix"], lab.parse(lab.written(lab.check(edit["matrix"], rows))))


def keep_numbers(page: LabPage, tokens: list[str], sizes: dict) -> tuple[tuple[str, lab.Rows], ...]:
    """Every given matrix, as it stands in the link and in the session, at its present size."""
    count, width, vector = len(tokens), sizes["width"], sizes["vector"]
    given = []
    for name in (*lab.STARTS[sizes["switches"]["start"]], "upstream"):
        height = vector if name.startswith("w_") else count
        columns = vector if name == "x" else width
        first = lab.fitted(name, lab.FIRST[name], height, columns)
        rows = page.controls.kept(
            name, first, lab.parse, lab.written,
            lambda rows, name=name, h=height, w=columns: lab.fitted(name, rows, h, w),
        )  # fmt: skip
        given.append((name, rows))
    return tuple(given)


def forget(page: LabPage) -> None:
    """Back to the numbers that the lab opens on."""
    for name, rows in lab.FIRST.items():
        if not page.controls.fixed(name):
            page.controls.set(name, rows)


def notebook(config: lab.ByHandConfig) -> tuple[str, ...]:
    return (
        f"from labcore.architecture import by_hand as lab\n\nconfig = lab.{config!r}\n"
        "walk = lab.run(config)\n"
        "for name, matrix in walk.matrices.items():\n    print(name)\n    print(matrix.round(3))",
        "# The same by torch: the chain rule without doing it by hand.\n"
        "import torch\n\n"
        "given = {n: torch.tensor(rows, dtype=torch.float64, requires_grad=True)"
        " for n, rows in config.given}\n"
        'if config.start == "x":\n'
        '    q, k, v = (given["x"] @ given[w] for w in ("w_q", "w_k", "w_v"))\n'
        "else:\n"
        '    q, k, v = given["q"], given["k"], given["v"]\n'
        "scores = q @ k.T * walk.factor\n"
        "seen = torch.tensor(walk.seen)\n"
        'if config.mask != "after":\n'
        "    scores = scores.masked_fill(~seen, -torch.inf)\n"
        "weights = scores.softmax(dim=-1) * seen\n"
        '(weights @ v * given["upstream"].detach()).sum().backward()\n'
        'print({n: given[n].grad.numpy().round(4) for n in given if n != "upstream"})',
    )
