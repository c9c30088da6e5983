"""The direction that stands for refusing: taken out, put in, and compared from place to place."""

import streamlit as st

from app.charts import safety_inside as charts
from app.notebook import changed_fields
from app.page import LabPage
from app.provenance import MEASURED
from labcore.tuning import cabinet
from labcore.tuning import refusal_direction as lab
from labcore.tuning.refusal_direction import DirectionStudy, SteerConfig

FOLLOWED = ("forbidden_seen", "forbidden_new", "borderline_new", "harmless_new")


def part(page: LabPage) -> None:
    left, right = st.columns(2)
    with left:
        model = page.choice("start", ("shallow", "deep"), "shallow")
        way = page.choice("way", lab.WAYS, "zero", style="pills")
    with right:
        site = page.choice("site", tuple(map(str, range(len(lab.SITES)))), "1", style="slide")
        strength = page.slider("strength", 0.0, lab.MOST_STRENGTH, 1.0, 0.25)
    config = SteerConfig(int(site), way, strength, model)
    result = page.run(lab.steer, config)
    untouched = page.run(lab.steer, SteerConfig(int(site), "none", 1.0, model))
    page.figure(charts.steered(result, untouched, page.text), MEASURED, "steered")
    names = [cabinet.name(number, page.text.language) for number in range(cabinet.NUM_OBJECTS)]
    page.figure(charts.along(result, names, page.text), MEASURED, "along")
    recorded = page.recording("direction", DirectionStudy)
    st.divider()
    group = page.choice(
        "followed", FOLLOWED, "forbidden_seen", label=lambda g: page.text(f"group.{g}")
    )
    figure = charts.by_site(recorded.result, group, page.text)
    page.figure(figure, recorded.provenance, "by_site")
    page.figure(charts.cosines(recorded.result, page.text), recorded.provenance, "cosines")
    page.offer_notebook(
        "from labcore.tuning import refusal_direction as lab\n\n"
        f"result = lab.steer(lab.SteerConfig({', '.join(changed_fields(config))}))",
        "from labcore.tuning.refusal import GROUPS\n\n"
        "print(dict(zip(GROUPS, result.refused.round(2), strict=True)))",
    )
