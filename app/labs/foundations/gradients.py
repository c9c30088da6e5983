"""Gradients: downhill by three rules, rates up to where they break, and a graph with its slopes."""

import streamlit as st

from app.charts import gradients as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.foundations import descent, graph
from labcore.foundations.descent import DescentConfig, SweepConfig
from labcore.foundations.graph import ChainConfig, GraphConfig
from labcore.foundations.surfaces import SURFACES, Surface, quadratic_matrix
from labcore.training import rules

SHOWN = (
    quadratic_matrix, descent.descend, descent.direction, rules.sgd, rules.adamw, descent.limits,
    graph.times, graph.tanh, graph.backward, graph.difference,
)  # fmt: skip

PARTS = ("descent", "graph", "chain")
CONDITIONS = ("1", "3", "10", "30", "100")
MOMENTA = ("0.5", "0.8", "0.9", "0.95", "0.99")
DEFAULT = GraphConfig()


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {"descent": draw_descent, "graph": draw_graph, "chain": draw_chain}[part](page)


def draw_descent(page: LabPage) -> None:
    guess = page.predict("limit", options=("slower", "bounces", "flies"))
    left, right = st.columns(2)
    with left:
        kind = page.choice("surface", SURFACES, "quadratic")
        if kind == "quadratic":
            condition = float(page.choice("condition", CONDITIONS, "10", style="slide", label=str))
            angle = float(page.slider("angle", 0, 90, 30, 5))
            surface = Surface(kind, condition, angle)
        else:
            surface = Surface(kind)
        momentum = float(page.choice("momentum", MOMENTA, "0.9", style="slide", label=str))
        noise = page.slider("noise", 0.0, 2.0, 0.0, 0.1)
    with right:
        # The two rules that have a limit get their rate as a share of it.
        curvature = float(descent.curvatures_at_start(surface)[-1])
        limits = descent.limits(curvature, momentum)
        plain = page.slider("rate_plain", 5, 120, 75, 5)
        rolling = page.slider("rate_momentum", 1, 120, 15)
        adam = page.slider("rate_adamw", 0.01, 1.0, 0.2, 0.01)
        steps = page.slider("steps", 10, descent.MOST_STEPS, 100, 10)
    rates = (limits["plain"] * plain / 100, limits["momentum"] * rolling / 100, adam)
    config = DescentConfig(surface, rates, momentum, noise, steps)
    result = page.run(descent.run, config)
    st.markdown(
        page.text(
            "descent.outcome", low=f"{result.curvatures[0]:.3g}", high=f"{result.curvatures[1]:.3g}",
            plain_limit=f"{limits['plain']:.3g}", momentum_limit=f"{limits['momentum']:.3g}",
            plain_rate=f"{rates[0]:.3g}", momentum_rate=f"{rates[1]:.3g}", adamw_rate=f"{adam:.3g}",
        )
    )  # fmt: skip
    page.figure(charts.walks(result, page.text), COMPUTED, "walks")
    page.figure(charts.heights(result, page.text), COMPUTED, "heights")
    gone = [rule for rule, walk in result.walks.items() if walk.diverged]
    if gone:
        page.caption("descent.gone", rules=", ".join(page.text(f"rule.{rule}") for rule in gone))
    page.figure(
        charts.sweep(page.run(descent.sweep, SweepConfig(surface, momentum, steps)), page.text),
        COMPUTED, "sweep",
    )  # fmt: skip
    page.reveal(guess, beyond_the_limit(page))
    page.offer_notebook(
        "from labcore.foundations import descent as lab\n"
        "from labcore.foundations.surfaces import Surface\n\n"
        f"result = lab.run(lab.{config!r})",
        "for rule, walk in result.walks.items():\n    print(rule, walk.heights[-1], walk.diverged)",
    )


def beyond_the_limit(page: LabPage) -> str:
    """What becomes of gradient descent at 105 % of the limit, on the valley that the lab opens with."""
    surface = Surface()
    limit = descent.limits(surface.condition, 0.0)["plain"]
    walk = page.run(descent.run, DescentConfig(surface, (1.05 * limit, 0.01, 0.01))).walks["plain"]
    before, after = walk.heights[10], walk.heights[-1]
    return "flies" if after > 2 * before else "slower" if after < before / 2 else "bounces"


def smaller_still(result: graph.GraphResult) -> str:
    """The one-sided error at h = 10⁻¹² against that at 10⁻⁸."""
    errors = result.errors["one_sided"]
    at = [int(abs(result.steps / h - 1).argmin()) for h in (1e-8, 1e-12)]
    before, after = errors[at[0]], errors[at[1]]
    return "worse" if after > 2 * before else "better" if after < before / 2 else "same"


def draw_graph(page: LabPage) -> None:
    guess = page.predict("smaller", options=("better", "worse", "same"))
    left, right = st.columns(2)
    with left:
        x = page.slider("x", -3.0, 3.0, DEFAULT.x, 0.1)
        w = page.slider("w", -3.0, 3.0, DEFAULT.w, 0.1)
        target = int(page.choice("target", ("0", "1"), str(DEFAULT.target), label=str))
    with right:
        b = page.slider("b", -3.0, 3.0, DEFAULT.b, 0.1)
        v = page.slider("v", -3.0, 3.0, DEFAULT.v, 0.1)
    config = GraphConfig(x, w, b, v, target)
    result = page.run(graph.run, config)
    page.figure(charts.graph(result, page.text), COMPUTED, "graph")
    found = dict(zip(result.names, result.gradients, strict=True))
    rows = [
        {
            page.text("column.leaf"): leaf, page.text("column.backprop"): f"{found[leaf]:.10f}",
            page.text("column.difference"): f"{difference:.10f}",
            page.text("column.apart"): f"{abs(found[leaf] - difference):.1e}",
        }
        for leaf, difference in result.differences.items()
    ]  # fmt: skip
    page.caption("graph.checked")
    st.dataframe(rows, hide_index=True)
    page.figure(charts.differences(result, page.text), COMPUTED, "differences")
    page.reveal(guess, smaller_still(result))
    page.offer_notebook(
        f"from labcore.foundations import graph as lab\n\nresult = lab.run(lab.{config!r})",
        "for row in zip(result.names, result.values, result.gradients):\n    print(*row)\n"
        "print(result.differences)",
    )


def draw_chain(page: LabPage) -> None:
    guess = page.predict("larger", options=("explodes", "keeps", "vanishes"))
    left, right = st.columns(2)
    with left:
        layers = page.slider("layers", 1, 60, 30)
    with right:
        weight = page.slider("weight", 0.1, 3.0, 0.9, 0.1)
    config = ChainConfig(layers, weight)
    result = page.run(graph.chain, config)
    page.figure(charts.chain(result, page.text), COMPUTED, "chain")
    slope = page.run(graph.chain, ChainConfig(30, 1.5)).slopes["plain"][-1]
    page.reveal(guess, "explodes" if slope > 100 else "vanishes" if slope < 0.01 else "keeps")
    st.markdown(
        page.text(
            "chain.outcome", layers=layers, plain=f"{result.slopes['plain'][-1]:.2g}",
            residual=f"{result.slopes['residual'][-1]:.2g}",
            rate=f"{result.slopes['plain'][-1] ** (1 / layers):.2f}",
        )
    )  # fmt: skip
    page.offer_notebook(
        f"from labcore.foundations import graph as lab\n\nresult = lab.chain(lab.{config!r})",
        "print(result.slopes)",
    )
