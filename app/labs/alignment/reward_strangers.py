"""Part four: answers that no rater saw, one of the learner's own among them, and a misplaced score."""

import unicodedata

import numpy as np
import streamlit as st

from app.charts import reward_study as charts
from app.page import LabPage
from app.provenance import COMPUTED
from labcore.errors import LabInputError
from labcore.tuning import reward_probe as lab
from labcore.tuning import sums
from labcore.tuning.reward_model import KINDS
from labcore.tuning.reward_probe import MisreadConfig, OwnAnswer
from labcore.tuning.reward_study import Strangers

DEFAULT = OwnAnswer()


def draw(page: LabPage) -> None:
    own(page)
    recorded = page.recording("strangers", Strangers)
    result = recorded.result
    page.figure(charts.strangers(result, page.text), recorded.provenance, "strangers")
    kind = page.choice("kind", KINDS, KINDS[0])
    misread = page.run(lab.misread, MisreadConfig(kind))
    page.figure(charts.misread(misread, page.text), COMPUTED, "misread")
    page.figure(charts.padding(result, page.text), recorded.provenance, "padding")
    for kind in KINDS:
        means = {
            name: np.mean([getattr(probe, name) for probe in result.probes[kind]])
            for name in ("agreement", "deviation", "moved")
        }
        far = np.mean([abs(probe.shift) for probe in result.probes[kind]])
        numbers = {name: f"{value:.2f}" for name, value in means.items()}
        page.caption(f"padding.{kind}", shift=f"{far:.2f}", **numbers)


def own(page: LabPage) -> None:
    """An answer that the learner types, before both bundled models and the rater."""
    left, middle, right = st.columns([1, 1, 2])
    with left:
        first = page.number("left", sums.LOWEST, sums.HIGHEST, DEFAULT.left)
    with middle:
        second = page.number("addend", sums.LOWEST, sums.HIGHEST, DEFAULT.right)
    with right:
        answer = page.text_area("answer", DEFAULT.answer, sums.RESPONSE_TOKENS - 1, lines=1)
    # Full-width digits and marks, as a Chinese keyboard gives them, are meant as plain ones.
    answer = unicodedata.normalize("NFKC", answer)[: sums.RESPONSE_TOKENS - 1].strip()
    try:
        given = OwnAnswer(first, second, answer)
        result = page.run(lab.own_rewards, given)
    except LabInputError as error:
        page.error(error)
        return
    verdict = page.text("own.right" if result.is_right else "own.wrong")
    numbers = {kind: f"{reward:+.2f}" for kind, reward in result.rewards.items()}
    st.markdown(page.text("own", verdict=verdict, worth=f"{result.worth:+.2f}", **numbers))
    page.offer_notebook(
        f"from labcore.tuning import reward_probe as lab\n\nlab.own_rewards(lab.{given!r})",
        "from labcore.tuning.reward_model import load_reward_model\n\n"
        'model = load_reward_model("informed")\nprobe = lab.probe(model)\n'
        "for name, reward in zip(probe.names, probe.mean):\n"
        '    print(f"{name:10} {reward:+.2f}")',
    )
