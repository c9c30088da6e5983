"""Surgery on a formed circuit: the learner's text, told three times, with heads silent or wires cut."""

from collections.abc import Sequence

import streamlit as st

from app.charts import induction as charts
from app.page import LabPage
from app.prediction import Guess
from app.provenance import COMPUTED
from labcore.architecture import induction_text as lab
from labcore.architecture.induction_cases import Comparison
from labcore.architecture.induction_surgery import WIRES, Head
from labcore.architecture.induction_text import TextConfig, TextResult

TEXT_LIMIT = 300
NOBODY = "nobody"


def draw(page: LabPage) -> None:
    left, right = st.columns([3, 2])
    with left:
        text = page.text_area("text", page.text("default.text"), TEXT_LIMIT)
    with right:
        model = page.choice("model", lab.MODELS, lab.MODELS[0])
    guess = page.predict("wire", options=tuple(WIRES))
    intact = page.run(lab.run, TextConfig(text, model))
    take_click(page)
    silent = pick_silent(page, intact)
    config = TextConfig(text, model, silent)
    result = page.run(lab.run, config)
    if result.dropped:
        page.caption("cut.tokens", kept=result.telling, dropped=result.dropped)
    draw_heads(page, result)
    draw_told(page, result, guess)
    st.subheader(page.text("seeds"), anchor=False)
    recorded = page.recording("cases", Comparison)
    figure = charts.surgery_over_seeds(recorded.result.cases["two"], page.text)
    page.figure(figure, recorded.provenance, "surgery")
    page.offer_notebook(*notebook(config))


def take_click(page: LabPage) -> None:
    """A cell of the map silences its head."""
    if cell := page.clicked("text_off"):
        page.controls.set("silent", f"{cell['row']}.{cell['column']}")


def pick_silent(page: LabPage, intact: TextResult) -> tuple[Head, ...]:
    """Nobody, one head, a layer, or a layer but for its last head."""
    layers, heads = intact.head_off.shape
    names = {(one.layer, one.head): page.text(f"pattern.{one.pattern}") for one in intact.heads}
    groups: dict[str, tuple[Head, ...]] = {NOBODY: ()}
    labels = {NOBODY: page.text("silent.nobody")}
    for layer in range(layers):
        whole = tuple((layer, head) for head in range(heads))
        for head in whole:
            key = f"{layer}.{head[1]}"
            groups[key], labels[key] = (head,), page.text("silent.head", layer=layer, head=head[1])
            if head in names:
                labels[key] += f" · {names[head]}"
        groups[f"{layer}.most"], groups[f"{layer}.all"] = whole[:-1], whole
        labels[f"{layer}.most"] = page.text("silent.most", layer=layer, last=heads - 1)
        labels[f"{layer}.all"] = page.text("silent.all", layer=layer)
    return groups[page.choice("silent", list(groups), NOBODY, style="select", label=labels.get)]


def draw_heads(page: LabPage, result: TextResult) -> None:
    accuracy = result.right.mean(axis=1)
    st.markdown(
        page.text("told", tokens=len(result.labels), telling=result.telling,
                  accuracy=f"{accuracy[0]:.0%}")
    )  # fmt: skip
    page.figure(charts.head_off(result.head_off, page.text), COMPUTED, "text_off")


def draw_told(page: LabPage, result: TextResult, guess: Guess | None) -> None:
    """The cuts: how much is left, and which tokens are lost."""
    if len(result.conditions) > 1:
        accuracy = dict(zip(result.conditions, result.right.mean(axis=1).tolist(), strict=True))
        page.figure(charts.wires(accuracy, page.text), COMPUTED, "text_wires")
        if set(WIRES) <= set(accuracy):
            reveal(page, accuracy, guess)
        else:
            page.caption("wires.none")
    else:
        page.caption("silent.choose")
    page.figure(charts.told(result, page.text), COMPUTED, "told")


def reveal(page: LabPage, accuracy: dict[str, float], guess: Guess | None) -> None:
    """Scored only where some wire matters: cutting a bystander's wires answers nothing."""
    worst = min(WIRES, key=accuracy.get)
    if accuracy["intact"] - accuracy[worst] >= 0.5:
        page.reveal(guess, worst)


def notebook(config: TextConfig) -> Sequence[str]:
    return (
        f"from labcore.architecture import induction_text as lab\n\nresult = lab.run(lab.{config!r})",
        "for condition, right in zip(result.conditions, result.right):\n"
        '    print(f"{condition:>10}: {right.mean():.2f} of the repeated tokens")',
        "result.head_off.round(2)  # layers down, heads across",
    )
