"""A plan of one's own, beside the best one."""

import streamlit as st

from app.charts import planner as charts
from app.labs.pretraining.planner_knobs import knobs
from app.labs.pretraining.planner_plan import draw_messages, draw_metrics, in_words
from app.page import LabPage
from app.provenance import ANALYTIC
from labcore.distributed import planner as lab
from labcore.distributed.layout import Layout
from labcore.distributed.planner import PlannerConfig
from labcore.distributed.search import MICRO_BATCHES, VERDICTS, divisors
from labcore.errors import LabInputError


def draw(page: LabPage) -> None:
    try:
        config = knobs(page)
        layout = pick_layout(page, config)
        plan = lab.evaluate(config, layout)
        ladder = lab.zero_ladder(config, layout)
        best = page.run(lab.run, config).best
    except LabInputError as error:
        page.error(error)
        return
    page.caption("own.hint")
    st.markdown(page.text("own.plan", plan=in_words(page, plan)))
    say_verdict(page, config, plan, best)
    draw_metrics(page, plan)
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.memory_by_stage(plan, page.text), ANALYTIC, "memory")
    with right:
        page.figure(charts.memory_ladder(ladder, page.text), ANALYTIC, "ladder")
    rows = {page.text("bar.own"): plan}
    if best is not None:
        rows[page.text("bar.best")] = best
    page.figure(charts.step_parts(rows, page.text), ANALYTIC, "own_step")
    draw_messages(page, plan)
    page.offer_notebook(
        "from labcore.distributed import planner\n"
        "from labcore.distributed.layout import Layout\n\n"
        f"config = planner.{config!r}\n"
        f"plan = planner.evaluate(config, {layout!r})\n"
        'print(f"{plan.seconds:.2f} s, MFU {plan.mfu:.1%}, {plan.memory_bytes / 1e9:.1f} GB")',
        "for stage, plan in enumerate(planner.zero_ladder(config, plan.layout)):\n"
        '    print(f"ZeRO-{stage}: {plan.memory_bytes / 1e9:.1f} GB, {plan.seconds:.2f} s")',
    )


def pick_layout(page: LabPage, config: PlannerConfig) -> Layout:
    """Knobs that offer only what divides; what is left over are replicas."""
    model, devices = config.task().model, config.nodes * config.per_node
    first = st.columns(4)
    with first[0]:
        heads = [t for t in divisors(model.key_value_heads) if model.heads % t == 0]
        tp = pick(page, "tp", [t for t in heads if devices % t == 0])
    with first[1]:
        left = devices // tp
        pp = pick(page, "pp", [p for p in divisors(left) if p <= model.layers])
    with first[2]:
        left //= pp
        cp = pick(page, "cp", [c for c in divisors(left) if config.sequence % c == 0 and c <= 64])
    with first[3]:
        replicas = left
        ep = pick(page, "ep", [e for e in divisors(model.experts) if replicas % e == 0])
    second = st.columns(3)
    with second[0]:
        zero = page.choice("zero", ("0", "1", "2", "3"), "0", label=lambda stage: stage)
    with second[1]:
        micro = pick(page, "micro_batch", MICRO_BATCHES)
    with second[2]:
        recompute = page.choice("recompute", ("0", "1", "2"), "0")
    return Layout(left // cp, tp, pp, cp, ep, int(zero), micro, int(recompute))


def pick(page: LabPage, knob: str, options: list[int] | tuple[int, ...]) -> int:
    """One of a few numbers; nothing to choose where there is only one."""
    return int(page.choice(knob, [str(n) for n in options], str(options[0]), "select", str))


def say_verdict(page: LabPage, config: PlannerConfig, plan, best) -> None:
    verdict = VERDICTS[plan.verdict]
    if verdict == "memory":
        lack = (plan.memory_bytes - plan.limit_bytes) / 1e9
        st.warning(page.text("own.memory", gigabytes=f"{lack:,.1f}"), icon=":material/memory:")
    elif verdict == "batch":
        batch = config.batch_tokens // config.sequence
        st.warning(
            page.text("own.batch", batch=batch, dp=plan.layout.dp, size=plan.layout.micro_batch)
        )
    elif verdict == "pipeline":
        st.warning(
            page.text("own.pipeline", count=f"{plan.micro_batches:.4g}", stages=plan.layout.pp)
        )
    elif best is not None:
        ratio = plan.seconds / best.seconds
        st.success(page.text("own.fits", ratio=f"{ratio:.2f}"), icon=":material/check_circle:")
