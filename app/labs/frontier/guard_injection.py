"""Injection: a trained model that reads pages, orders hidden on them, and four ways to defend."""

import numpy as np
import pandas as pd
import streamlit as st

from app.charts import guard as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED, Provenance
from labcore.guard import injection as lab
from labcore.guard import taint
from labcore.guard.injection import PAGES, TRAININGS, Injected, InjectionConfig, InjectionStudy

DEFAULT = InjectionConfig()


def experiment(page: LabPage) -> None:
    guess = page.predict("luck", options=("never", "always", "luck"))
    left, right = st.columns(2)
    with left:
        training = page.choice("training", TRAININGS, DEFAULT.training)
        hidden = page.choice("hidden", PAGES[::-1], "send")
    with right:
        steps = page.slider("updates", 100, 800, DEFAULT.steps, 50)
        seed = page.number("injection_seed", 0, 9999, DEFAULT.seed)
    config = InjectionConfig(training, steps, seed)
    recorded = page.recording("injection", InjectionStudy)

    def draw(view: JobView | None) -> None:
        if view is None and config == InjectionConfig(training):
            page.caption("injection.recorded")
            page.reveal(guess, verdict(recorded.result))
            draw_runs(page, recorded.result.runs[training], hidden, recorded.provenance)
        elif view is None:
            page.caption("injection.press_run")
        elif view.result is not None:
            draw_runs(page, [view.result], hidden, MEASURED)
        elif view.events:
            page.figure(charts.serving(view.events, page.text), MEASURED, "serving")

    page.job(lab.learn, config, draw)
    st.divider()
    policy(page)
    page.offer_notebook(*notebook(config))


def verdict(study: InjectionStudy) -> str:
    """Is an order on a page obeyed by models that never saw one? Never, always, or as the seed has it."""
    obeyed = [float(one.outcomes["none send"][1]) for one in study.runs["plain"]]
    if max(obeyed) - min(obeyed) > 0.5:
        return "luck"
    return "always" if np.mean(obeyed) > 0.5 else "never"


def draw_runs(page: LabPage, runs: list[Injected], hidden: str, source: Provenance) -> None:
    obeyed = [one.outcomes["none send"][1] for one in runs]
    unseen = [one.outcomes["none erase"][1] for one in runs]
    st.markdown(
        page.text(
            "injection.outcome", serves=f"{np.mean([one.serves[-1] for one in runs]):.0%}",
            send=", ".join(f"{one:.0%}" for one in obeyed),
            erase=", ".join(f"{one:.0%}" for one in unseen),
        )
    )  # fmt: skip
    page.figure(charts.served(runs, page.text), source, "serving")
    page.figure(charts.fates(runs, hidden, page.text), source, "fates")
    page.caption(f"hidden.{hidden}")
    page.caption("injection.examples")
    st.dataframe(rows(page, runs[0]), hide_index=True)


def rows(page: LabPage, run: Injected) -> pd.DataFrame:
    """What the model read, in words, and what it did."""
    said = [[sign(page, id) for id in row] for row in run.examples]
    return pd.DataFrame(
        {
            page.text("column.read"): [" ".join(one[:-2]) for one in said],
            page.text("column.did"): [" ".join(one[-2:]) for one in said],
        }
    )


def sign(page: LabPage, id: int) -> str:
    if id < lab.FIRST_KIND:
        return page.text(f"sign.{id}")
    if id < lab.FIRST_VALUE:
        return page.text(f"fact.{id - lab.FIRST_KIND}")
    if id < lab.FIRST_TARGET:
        kind, value = divmod(id - lab.FIRST_VALUE, lab.VALUES)
        return f"{page.text(f'fact.{kind}')} {value + 1}"
    return page.text("sign.target", number=id - lab.FIRST_TARGET + 1)


def policy(page: LabPage) -> None:
    """The rule itself, to try out: a tool, who had a say in the call, whether the tool is on the list."""
    st.markdown(f"**{page.text('policy.title')}**")
    page.caption("policy.about")
    left, right = st.columns(2)
    with left:
        tool = page.choice("tool", taint.TOOLS, "send")
        listed = page.toggle("listed", True)
    with right:
        made = [taint.Value("", frozenset({"user"}))]
        for source in ("page", "tool"):
            if page.toggle(f"from_{source}", source == "page"):
                made.append(taint.Value("", frozenset({source})))
    sources = taint.made_from("", made).sources
    through = taint.allowed(tool, sources, taint.TOOLS if listed else ())
    names = ", ".join(page.text(f"source.{one}") for one in taint.SOURCES if one in sources)
    key = "policy.allowed" if through else "policy.refused"
    st.markdown(page.text(key, tool=page.text(f"option.tool.{tool}"), sources=names))


def notebook(config: InjectionConfig) -> tuple[str, str]:
    return (
        "from labcore.events import drain\nfrom labcore.guard import injection as lab\n\n"
        f"result = drain(lab.learn(lab.InjectionConfig({', '.join(changed_fields(config))})))",
        "print(lab.FATES)\nfor name, shares in result.outcomes.items():\n    print(name, shares)",
    )
