"""Open models and who uses what: a map, what fits, tools by job, published cases."""

import psutil
import streamlit as st

from app import catalog
from app.charts import ecosystem as charts
from app.page import LabPage
from app.provenance import ANALYTIC, Provenance
from labcore.ecosystem import catalogue, fit
from labcore.ecosystem.catalogue import ATTENTION, KINDS
from labcore.ecosystem.fit import FitConfig

SHOWN = (catalogue.chosen, fit.weights_gb, fit.fit)

PARTS = ("map", "fit", "jobs", "cases")
COLOURS = ("licence", "attention")
YEARS = tuple(map(str, range(2018, 2027)))
LARGEST = ("1", "10", "100", "1000", "all")
CONTEXTS = tuple(str(2**power) for power in range(9, 18))
BATCHES = ("1", "4", "16", "64")
GIGA = 1e9
RECENT = 2024


def published() -> Provenance:
    """Facts from the sources that each row names, as of the day they were looked up."""
    return Provenance("published", date=catalogue.checked())


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}", date=catalogue.checked())
    {"map": model_map, "fit": fitting, "jobs": jobs, "cases": cases}[part](page)


def model_map(page: LabPage) -> None:
    page.reveal(page.predict("plain", options=("few", "half", "most")), still_plain())
    left, right = st.columns(2)
    with left:
        kind = page.choice("licence_kind", ("all", *KINDS), "all")
        attention = page.choice("attention", ("all", *ATTENTION), "all")
        colour = page.choice("colour", COLOURS, COLOURS[0])
    with right:
        since = int(page.choice("since", YEARS, YEARS[0], "slide", label=str))
        largest = page.choice("largest", LARGEST, "all", "slide")
        mixtures = page.toggle("mixtures", False)
    found = catalogue.chosen(
        catalogue.models(),
        KINDS if kind == "all" else (kind,),
        ATTENTION if attention == "all" else (attention,),
        since, float("inf") if largest == "all" else float(largest) * GIGA, mixtures,
    )  # fmt: skip
    if not found:
        st.info(page.text("map.none"), icon=":material/info:")
        return
    st.markdown(page.text("map.count", count=len(found), all=len(catalogue.models())))
    page.figure(charts.model_map(found, colour, page.text), published(), "map")
    st.dataframe(
        charts.table(found, page.text), hide_index=True,
        column_config={page.text("column.source"): st.column_config.LinkColumn()},
    )  # fmt: skip
    page.caption("map.empty")
    page.offer_notebook(
        "from labcore.ecosystem import catalogue\n\nfor one in catalogue.models():\n"
        "    print(one.date, one.name, f'{one.parameters:.3g}', one.licence.name, one.sources[0])"
    )


def still_plain() -> str:
    """Of all models of the map since 2024: how many keep keys and values of their own for every head."""
    recent = [one for one in catalogue.models() if one.year >= RECENT]
    share = sum(one.attention == "mha" for one in recent) / len(recent)
    return "few" if share < 1 / 3 else "half" if share < 2 / 3 else "most"


def fitting(page: LabPage) -> None:
    guess = page.predict("seven", options=("fits", "not"))
    here = psutil.virtual_memory().total / GIGA
    left, right = st.columns(2)
    with left:
        memory = page.slider("memory", 1.0, 512.0, 16.0, 0.5)
        bits = int(page.choice("bits", tuple(map(str, fit.BITS)), "4", label=str))
    with right:
        context = int(page.choice("context", CONTEXTS, "4096", "slide", label=str))
        batch = int(page.choice("batch", BATCHES, "1", label=str))
    page.caption("fit.here", memory=f"{here:.0f}")
    config = FitConfig(memory, bits, context, batch)
    found = fit.run(catalogue.models(), config)
    fits = [one for one in found if one.fits]
    largest = max(fits, key=lambda one: one.weights_gb) if fits else None
    if largest is None:
        st.info(page.text("fit.none"), icon=":material/info:")
    else:
        st.markdown(
            page.text("fit.outcome", count=len(fits), all=len(found), name=largest.model.name,
                      gb=f"{largest.weights_gb + (largest.cache_gb or 0):.1f}")
        )  # fmt: skip
    if page.guess_first("mixture", ("fits", "not"), truth("Mixtral 8x7B", batch=1)):
        page.figure(charts.fits(found, memory, page.text), ANALYTIC, "fits")
    long = [one.model.name for one in fits if one.too_long]
    if long:
        page.caption("fit.too_long", names=", ".join(long))
    unknown = [one.model.name for one in fits if one.cache_gb is None]
    if unknown:
        page.caption("fit.weights_only", names=", ".join(unknown))
    page.reveal(guess, truth("Llama 2 7B", batch=16))
    page.offer_notebook(
        "from labcore.ecosystem import catalogue, fit\n\n"
        f"for one in fit.run(catalogue.models(), fit.{config!r}):\n"
        "    print(one.model.name, round(one.weights_gb, 2), one.cache_gb, one.fits)"
    )


def truth(name: str, batch: int) -> str:
    """A model in 4 bits with so many texts of 4,096 tokens: into 16 GB?"""
    model = next(one for one in catalogue.models() if one.name == name)
    return "fits" if fit.fit(model, FitConfig(16.0, 4, 4096, batch)).fits else "not"


def jobs(page: LabPage) -> None:
    job = page.choice("want", tuple(one["id"] for one in catalogue.read("jobs")["job"]), "serve", "select",
                      lambda id: page.text(f"job.{id}"))  # fmt: skip
    one = next(one for one in catalogue.read("jobs")["job"] if one["id"] == job)
    st.markdown(page.text("jobs.tools", tools=", ".join(one["tools"])))
    st.markdown(page.text("jobs.labs"))
    ways(page, one["labs"], f"job.{job}")
    st.dataframe(
        [{page.text("column.job"): page.text(f"job.{entry['id']}"),
          page.text("column.tools"): ", ".join(entry["tools"]),
          page.text("column.labs"): ", ".join(page.text(f"lab.{lab}") for lab in entry["labs"])}
         for entry in catalogue.read("jobs")["job"]],
        hide_index=True,
    )  # fmt: skip
    page.offer_notebook("from labcore.ecosystem import catalogue\n\nprint(catalogue.read('jobs'))")


def cases(page: LabPage) -> None:
    for one in catalogue.read("cases")["case"]:
        with st.container(border=True):
            st.markdown(
                f"**{one['who']}, {one['year']}** · [{one['source']}]({charts.link(one['source'])})"
            )
            st.markdown(page.text(f"case.{one['id']}"))
            ways(page, one["labs"], f"case.{one['id']}")
    page.offer_notebook("from labcore.ecosystem import catalogue\n\nprint(catalogue.read('cases'))")


def ways(page: LabPage, labs: list[str], key: str) -> None:
    """Buttons to the labs that explain it."""
    with st.container(horizontal=True):
        for lab in labs:
            label = page.text(f"lab.{lab}")
            if st.button(
                label, key=f"ecosystem.{key}.{lab}", type="tertiary", icon=":material/science:"
            ):
                chapter = catalog.chapter(catalog.LABS[lab].chapter)
                query = {"lang": page.text.language, "lab": lab}
                st.switch_page(chapter.page, query_params=query)
