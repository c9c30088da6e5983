"""A model really served on this machine: started from the page, asked from it, and put under load."""

import numpy as np
import streamlit as st

from app import models
from app.charts import load_test as charts
from app.job import JobView
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from app.served_model import shelf
from labcore.serving import endpoint_process
from labcore.serving import load_test as lab
from labcore.serving.endpoint_process import Running
from labcore.serving.load_test import LoadConfig, LoadResult

DEFAULT = LoadConfig()
SEATS = ("2", "4", "8", "16")
MOST_PROMPT, ANSWER_TOKENS = 500, 48
WAITS = ("first", "total")


def served(page: LabPage) -> None:
    config = knobs(page)
    offer(page, config)
    st.subheader(page.text("served.load"), anchor=False)
    page.caption("served.load.about")
    guess = page.predict("seats", low=1.0, high=8.0, step=0.1, unit="×")
    page.job(lab.measure, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(
        "from labcore.serving import load_test as lab\n\n"
        f"result = lab.run(lab.LoadConfig({', '.join(changed_fields(config)) or 'rounds=1'}))",
        "for server in result.servers:\n"
        "    print(server.seats, 'seats:', round(server.capacity, 1), 'requests per second')\n"
        "    for rate, first in zip(server.rates, server.first_seconds.mean(axis=1)):\n"
        '        print(f"  {rate:6.1f} per second: first token after {1e3 * first[0]:.0f} ms, "\n'
        '              f"{1e3 * first[1]:.0f} at the 95th percentile")',
    )


def knobs(page: LabPage) -> LoadConfig:
    left, right = st.columns(2)
    with left:
        model = page.choice("served_model", lab.MODELS, DEFAULT.model, "select",
                            lambda name: page.text(f"model.{name}"))  # fmt: skip
        form = page.choice("form", lab.FORMS, DEFAULT.form)
    with right:
        seats = page.choice("seats", SEATS, str(DEFAULT.seats), label=str)
        seconds = page.slider("seconds", 1.0, 10.0, DEFAULT.seconds, 0.5)
    if model != DEFAULT.model:
        models.obtain(model, page.text)  # fetched here, so that the endpoint finds it
    return LoadConfig(model, form, int(seats), seconds)


def offer(page: LabPage, config: LoadConfig) -> None:
    """The endpoint itself: on, off, how to reach it, and a line to try it with."""
    st.subheader(page.text("served.title"), anchor=False)
    running = shelf().now()
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(page.text("served.start"), key="production.serve", icon=":material/dns:"):
            with st.spinner(page.text("served.starting")):
                shelf().start(config.model, config.form, config.seats)
            running = shelf().now()
        if running and st.button(page.text("served.stop"), key="production.unserve"):
            shelf().stop()
            running = None
    if running is None:
        page.caption("served.off")
        return
    st.markdown(
        page.text(
            "served.on", model=page.text(f"model.{running.model}"), form=page.text(f"form.{running.form}"),
            megabytes=f"{running.weight_bytes / 1e6:.1f}",
        )
    )  # fmt: skip
    st.code(client_lines(running), language="python")
    try_it(page, running)


def client_lines(running: Running) -> str:
    """What a program on this machine would write, with the official client."""
    return (
        "from openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{running.address}", api_key="none")\n'
        "stream = client.completions.create(\n"
        f'    model="{running.model}", prompt="{lab.PROMPT}", max_tokens={ANSWER_TOKENS}, stream=True)\n'
        "for chunk in stream:\n"
        '    print(chunk.choices[0].text, end="")'
    )


def try_it(page: LabPage, running: Running) -> None:
    """Ask from the page, over the same wire."""
    with st.form("production-try", border=True):
        prompt = st.text_input(
            page.text("served.try"), lab.PROMPT, max_chars=MOST_PROMPT, key="production.try"
        )
        if not st.form_submit_button(page.text("served.ask"), icon=":material/send:"):
            return
    place, text = st.empty(), ""
    body = {"model": running.model, "prompt": prompt or lab.PROMPT, "max_tokens": ANSWER_TOKENS}
    try:
        for event in endpoint_process.pieces(running, "/v1/completions", body):
            text += "".join(choice["text"] for choice in event["choices"])
            place.text((prompt or lab.PROMPT) + text)
    except (OSError, RuntimeError):
        st.warning(page.text("served.failed"), icon=":material/info:")


def draw(page: LabPage, config: LoadConfig, view: JobView | None, guess: Guess | None) -> None:
    if view is None and config == DEFAULT:
        kept = page.recording("load", LoadResult)
        page.caption("job.recorded")
        outcome(page, kept.result, kept.provenance)
        page.reveal(guess, gain(kept.result), 0.25)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED)
        page.reveal(guess, gain(view.result), 0.25)
    elif view.events:
        last = view.events[-1]
        st.markdown(
            page.text("served.so_far", seats=last.seats, rate=f"{last.rate:.1f}",
                      ms=f"{last.first_ms:,.0f}")
        )  # fmt: skip


def gain(result: LoadResult) -> float:
    """How many times as many requests with all seats as with one."""
    one, many = result.servers
    return round(many.capacity / one.capacity, 1)


def outcome(page: LabPage, result: LoadResult, source: Provenance) -> None:
    one, many = result.servers
    st.markdown(
        page.text(
            "served.outcome", one=f"{one.capacity:.1f}", many=f"{many.capacity:.1f}", seats=many.seats,
            gain=f"{gain(result):.1f}", calm=f"{1e3 * np.median(many.first_seconds[0, :, 1]):,.0f}",
            over=f"{1e3 * np.median(one.first_seconds[-1, :, 1]):,.0f}",
            errors=int(one.errors.sum() + many.errors.sum()),
        )
    )  # fmt: skip
    left, right = st.columns(2)
    with left:
        what = page.choice("what", WAITS, WAITS[0])
    with right:
        percent = page.choice(
            "percent", tuple(f"{100 * q:.0f}" for q in lab.QUANTILES), "95", label=str
        )
    page.figure(charts.waits(result, what, int(percent) / 100, page.text), source, "waits")
    page.figure(charts.throughput(result, page.text), source, "throughput")
