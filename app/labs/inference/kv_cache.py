"""The KV cache: what it saves, what it weighs, and what is done about its weight."""

import streamlit as st

from app.charts import kv_cache as charts
from app.job import JobView
from app.labs.inference import kv_cache_batch, kv_cache_loss, kv_cache_pages, kv_cache_size
from app.notebook import changed_fields
from app.page import LabPage
from app.prediction import Guess
from app.provenance import MEASURED, Provenance
from labcore.model.cache import KVCache
from labcore.model.counting import cache_numbers_per_token, kv_cache_bytes
from labcore.serving import batch_speed, cache_bits, forgetting, page_server
from labcore.serving import cache_race as lab
from labcore.serving.cache_race import RaceConfig, RaceResult
from labcore.serving.paged import PagedMemory

SHOWN = (
    KVCache.update, lab.race, cache_numbers_per_token, kv_cache_bytes, batch_speed.decoding,
    PagedMemory.admit, PagedMemory.append, page_server.Server.step, forgetting.kept_places,
    forgetting.keep, cache_bits.round_entry,
)  # fmt: skip

MODELS = ("world-decoder", "smollm2-135m-instruct")
PROMPT_CHARACTERS = 120
RATIO_RANGE = (1.0, 20.0)
CLOSE = 0.25  # a guess within a quarter of the truth is a good one


def experiment(page: LabPage) -> None:
    part = page.choice("part", tuple(PARTS), "race")
    page.caption(f"part.{part}")
    PARTS[part](page)


def race(page: LabPage) -> None:
    config = knobs(page)
    guess = page.predict("ratio", low=RATIO_RANGE[0], high=RATIO_RANGE[1], step=0.5, unit="×")
    page.job(lab.race, config, lambda view: draw(page, config, view, guess))
    page.offer_notebook(
        "from labcore.serving import cache_race as lab\n\n"
        f"result = lab.run(lab.RaceConfig({', '.join(changed_fields(config))}))",
        'print("first difference:", result.first_difference)\n'
        "for way in lab.WAYS:\n"
        '    print(f"{way}: {result.total_seconds(way)} s, {result.flops[way].sum():.3g} FLOPs")',
    )


def knobs(page: LabPage) -> RaceConfig:
    model = page.choice("model", MODELS, MODELS[0])
    if model != MODELS[0]:  # dear: what was recorded, and can be run again
        with page.controls.aside():
            page.text_area("text", lab.TEXTS[page.text.language], PROMPT_CHARACTERS)
            page.slider("new_tokens", 32, 256, 192, 32)
            page.slider("rounds", 2, 7, 3)
            page.number("seed", 0, 9999, 0)
        return lab.PUBLISHED
    text = page.text_area("text", lab.TEXTS[page.text.language], PROMPT_CHARACTERS)
    left, middle, right = st.columns(3)
    with left:
        tokens = page.slider("new_tokens", 32, 256, 192, 32)
    with middle:
        rounds = page.slider("rounds", 2, 7, 3)
    with right:
        seed = page.number("seed", 0, 9999, 0)
    return RaceConfig(model, text, tokens, rounds, seed)


def draw(page: LabPage, config: RaceConfig, view: JobView | None, guess: Guess | None) -> None:
    recorded = {config: name for name, config in lab.RECORDED.items()}
    if view is None and config in recorded:
        kept = page.recording(f"race-{recorded[config]}", RaceResult)
        page.caption("job.recorded")
        outcome(page, kept.result, kept.provenance, guess)
    elif view is None:
        page.caption("press_run")
    elif view.result is not None:
        outcome(page, view.result, MEASURED, guess)
    elif view.events:
        times = view.events[-1].milliseconds
        page.figure(charts.per_token(times, page.text), MEASURED, "per_token")
        page.figure(charts.added_up(times, page.text), MEASURED, "added_up")


def outcome(page: LabPage, result: RaceResult, source: Provenance, guess: Guess | None) -> None:
    same = "same" if result.first_difference < 0 else "differs"
    with_cache, without = (result.total_seconds(way) for way in lab.WAYS)
    ratios = sorted((without / with_cache).tolist())
    middle = ratios[len(ratios) // 2]
    counted = result.flops["uncached"].sum() / result.flops["cached"].sum()
    st.markdown(
        page.text(
            "race.outcome", tokens=len(result.flops["cached"]), ratio=f"{middle:.1f}",
            low=f"{ratios[0]:.1f}", high=f"{ratios[-1]:.1f}", counted=f"{counted:.0f}",
        )
    )  # fmt: skip
    st.markdown(
        page.text(
            f"race.{same}", place=result.first_difference + 1, gap=f"{result.largest_gap:.5f}"
        )
    )
    page.reveal(guess, round(middle, 1), CLOSE)
    page.figure(charts.per_token(result.milliseconds, page.text), source, "per_token")
    page.figure(charts.added_up(result.milliseconds, page.text), source, "added_up")
    page.figure(charts.work(result, page.text), source, "work")
    page.caption("race.text", tokens=result.story_tokens)
    st.text(result.text)


PARTS = {
    "race": race,
    "memory": kv_cache_size.memory,
    "batch": kv_cache_batch.batch,
    "pages": kv_cache_pages.pages,
    "forgetting": kv_cache_loss.forgetting,
    "bits": kv_cache_loss.bits,
}
