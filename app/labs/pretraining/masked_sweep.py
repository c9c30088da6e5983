"""Part 4: how much to hide; is it the hiding or the asking that counts; what the disguise teaches."""

from app.charts import masked_training as charts
from app.charts.masked_training import Course
from app.job import JobView
from app.page import LabPage
from labcore.pretraining import masked_study as study
from labcore.pretraining.masked_study import RateConfig, Study
from labcore.pretraining.masked_train import MaskedConfig, MaskedResult

RATES = tuple(study.rates())
ASKED = ("rate-15", "hide40-ask15", "rate-40", "hide80-ask15")
SHARES = (study.BASE, *study.SHARES)
OWN_RATE = round(100 * RateConfig().rate)


def draw(page: LabPage) -> None:
    recording = page.recording("study", Study)
    part = page.choice("compare", ("rates", "asked", "shares"), "rates")
    {"rates": rates, "asked": asked, "shares": shares}[part](page, recording)


def rates(page: LabPage, recording) -> None:
    """Six rates, three seeds each; and one rate of the learner's own."""
    found: Study = recording.result
    against = page.choice("against", ("steps", "questions"), "steps")
    own = page.slider("own_rate", 1, 95, OWN_RATE, format="%d %%")
    seed = page.number("seed", 0, 9999, 0)
    page.caption("live.about")
    guess = page.predict("own", low=0.3, high=6.0, step=0.05, unit=page.text("unit.nats"))
    config = RateConfig(own / 100, seed)

    def picture(view: JobView | None) -> None:
        live, questions, end = own_run(view)
        figure = charts.courses(found, RATES, against, page.text, live, questions)
        page.figure(figure, recording.provenance, "rates")
        page.figure(
            charts.ends(found, RATES, study.RATES, page.text, end), recording.provenance, "ends"
        )
        if end is not None:
            page.reveal(guess, end[1], tolerance=0.15)
        page.figure(charts.excess(found, RATES, page.text), recording.provenance, "excess")

    page.job(study.one_rate, config, picture)
    page.offer_notebook(*notebook(config.run()))


def own_run(
    view: JobView | None,
) -> tuple[Course | None, float, tuple[float, float] | None]:
    """The learner's run: its course, questions per step, and at which rate it ended where."""
    if view is not None and view.result is not None:
        result: MaskedResult = view.result
        end = (100 * result.rate, float(result.gap_nats[-1]))
        return charts.course_of_result(result), float(result.questions.mean()), end
    if view is None or not view.events:
        return None, 0.0, None
    last = view.events[-1]
    return charts.course_of_events(view.events), last.questions / last.step, None


def asked(page: LabPage, recording) -> None:
    page.caption("asked.about")
    figure = charts.courses(recording.result, ASKED, "steps", page.text)
    page.figure(figure, recording.provenance, "asked")
    page.offer_notebook(*notebook(MaskedConfig(rule=study.RULES[ASKED[1]], steps=study.STEPS)))


def shares(page: LabPage, recording) -> None:
    guess = page.predict("disguise", options=("all_hidden", "bert", "same"))
    page.caption("shares.about")
    figure = charts.recipes(recording.result, SHARES, page.text)
    page.figure(figure, recording.provenance, "recipes")
    page.reveal(guess, better(recording.result))
    page.offer_notebook(*notebook(MaskedConfig(steps=study.STEPS)))


def better(found: Study) -> str:
    """Which of the two fills gaps better, if the seeds of one are all below those of the other."""
    plain, bert = (study.gap_at(found, name) for name in (study.BASE, "80-10-10"))
    if plain.max() < bert.min():
        return "all_hidden"
    return "bert" if bert.max() < plain.min() else "same"


def notebook(config: MaskedConfig) -> tuple[str, ...]:
    return (
        "from labcore.pretraining import masked_study as study\n"
        "from labcore.pretraining import masked_train as lab\n"
        "from labcore.pretraining.corpus import WorldTextConfig\n"
        "from labcore.pretraining.masked_rule import Rule\n"
        "from labcore.pretraining.masked_train import MaskedConfig\n\n"
        f"result = lab.run({config!r})",
        "print(result.look_steps, result.gap_nats, result.floor_nats)",
        "# The whole comparison: some six minutes on one core.\n"
        "found = study.run(study.StudyConfig())\n"
        "print(dict(zip(found.rules, found.gap_nats[:, 0, -1])))",
    )
