"""Faster decoding and batching: writing with a draft; the other parts stand in modules of their own."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from app.charts import decoding as charts
from app.job import JobView
from app.labs.inference import decoding_constrained, decoding_exactness, decoding_queue
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED, MEASURED, Provenance
from labcore.model.cache import KVCache
from labcore.serving import (
    batching,
    constrained,
    exactness,
    queueing,
    regular,
    speculating,
    speculative,
)
from labcore.serving import speculating_speed as timing
from labcore.serving.draft import TARGET
from labcore.serving.speculating import DRAFTS, SpeculatingConfig, Speculation
from labcore.serving.speculating_speed import Speed, SpeedConfig
from labcore.text.world import LANGUAGES

SHOWN = (
    speculative.keep_chance, speculative.left_over, speculative.check, speculating.guess,
    speculating.speculate, KVCache.roll_back, exactness.draw_speculatively,
    speculative.written_distribution, speculative.speed_up, batching.serve, batching.leave,
    queueing.most_requests, regular.derivative, constrained.Allowed.after, constrained.masked,
    constrained.both_ways,
)  # fmt: skip

PARTS = ("speculative", "exactness", "queue", "constrained")
TEMPERATURES = ("0", "0.5", "0.7", "1.0", "1.3", "1.6")
OPENING_LIMIT = 80
GAIN = 1.3  # a speed-up beyond this is more than a little
DEFAULT = SpeculatingConfig()


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {
        "speculative": speculation,
        "exactness": decoding_exactness.experiment,
        "queue": decoding_queue.experiment,
        "constrained": decoding_constrained.experiment,
    }[part](page)


def speculation(page: LabPage) -> None:
    config = knobs(page)
    page.model(TARGET)
    draw_story(page, config, page.run(speculating.run, config))
    st.divider()
    st.markdown(f"**{page.text('speed')}**")
    speed = SpeedConfig(config.draft, config.temperature)
    guess = page.predict("speed", options=("slower", "little", "more"))
    page.job(timing.measure, speed, lambda view: draw_speed(page, speed, view, guess))
    page.offer_notebook(*notebook(config))


def knobs(page: LabPage) -> SpeculatingConfig:
    left, right = st.columns(2)
    with left:
        guesses = page.slider("guesses", 1, 10, DEFAULT.guesses)
        draft = page.choice("draft", DRAFTS, DEFAULT.draft)
    with right:
        temperature = page.choice("temperature", TEMPERATURES, "1.0", style="slide", label=str)
        seed = page.number("seed", 0, 9999, DEFAULT.seed)
    with st.expander(page.text("more"), key="decoding-more"):
        left, right = st.columns(2)
        with left:
            language = page.choice("story", LANGUAGES, page.text.language)
        with right:
            opening = page.text_area("opening", "", OPENING_LIMIT)
    return SpeculatingConfig(
        guesses, float(temperature), draft, language, opening, DEFAULT.max_new_tokens, seed=seed
    )


def draw_story(page: LabPage, config: SpeculatingConfig, result: Speculation) -> None:
    st.text(result.text)
    numbers = {
        "written": result.written, "rounds": len(result.rounds), "kept": result.kept,
        "checked": result.checked, "share": f"{result.kept / result.checked:.0%}",
        "expected": f"{result.expected_kept_share:.0%}",
        "per_pass": f"{result.written / len(result.rounds):.1f}",
    }  # fmt: skip
    st.markdown(page.text("outcome", **numbers))
    if result.same_as_plain is not None:
        st.markdown(page.text("greedy.same" if result.same_as_plain else "greedy.differs"))
    page.figure(charts.rounds(result, config.guesses, page.text), COMPUTED, "rounds")


def draw_speed(
    page: LabPage, config: SpeedConfig, view: JobView | None, guess: Guess | None
) -> None:
    if view is None and config == SpeedConfig():
        recorded = page.recording("speed", Speed)
        page.caption("job.recorded")
        draw_times(page, recorded.result, recorded.provenance)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        draw_times(page, view.result, MEASURED)
        page.reveal(guess, gain(view.result))
    elif view.events:
        figure = charts.speed_so_far(view.events, config.guesses, page.text)
        page.figure(figure, MEASURED, "speed")


def draw_times(page: LabPage, result: Speed, source: Provenance) -> None:
    ups = np.median(result.speed_ups, axis=1)
    best = int(ups.argmax())
    key = "speed.gain" if ups[best] > 1 else "speed.loss"
    st.markdown(
        page.text(
            key, best=f"{ups[best]:.2f}", guesses=result.guesses[best],
            formula=f"{result.formula[best]:.2f}", kept=f"{result.kept_share:.0%}",
            draft=f"{result.draft_cost:.2f}", check=f"{result.check_cost[best]:.2f}",
            plain=f"{np.median(result.plain_ms):.2f}",
        )
    )  # fmt: skip
    page.figure(charts.speed_ups(result, page.text), source, "speed")
    page.figure(charts.tokens_per_round(result, page.text), source, "per_round")


def gain(result: Speed) -> str:
    """What four guesses a round are good for."""
    up = float(np.median(result.speed_ups, axis=1)[list(result.guesses).index(4)])
    return "slower" if up < 1 else "little" if up < GAIN else "more"


def notebook(config: SpeculatingConfig) -> Sequence[str]:
    return (
        "from labcore.serving import speculating as lab\n\n"
        f"result = lab.run(lab.SpeculatingConfig({', '.join(changed_fields(config))}))\n"
        "print(result.text)",
        "for one in result.rounds:\n"
        "    said = [result.labels[token] for token in one.tokens]\n"
        '    print(f"{one.kept} of {len(one.guesses)} guesses kept", said)',
    )
