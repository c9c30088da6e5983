"""The page of "LoRA and its family": six parts, both languages, every knob to its ends."""

import pytest

from app import results
from app.charts import lora as charts
from app.i18n import LANGUAGES, Words
from app.labs.alignment import lora as screen
from app.labs.alignment import lora_study
from labcore.tuning import lora_rates, peft_files, teller, tune
from labcore.tuning.lora_arithmetic import bundled
from labcore.tuning.lora_frontier import Frontier
from labcore.tuning.lora_rates import RateStudy
from labcore.tuning.methods import METHODS, Method
from tests.app.conftest import checked, press, said

EN = Words("en", "lora")
QUICK = {"steps": "25"}


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"lora-{name}.safetensors", kind).result


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run(open_lab, language):
    app = checked(open_lab("lora", language))
    assert {"en": "recorded", "zh": "实测录制"}[language] in said(app)
    assert len(app.get("echarts_chart")) == 2
    assert len(app.get("download_button")) >= 2


@pytest.mark.parametrize(
    "knobs",
    [
        {"method": "dora", "task": "backwards", "matrices": "qv", "size": "64", "alpha": "1"},
        {"method": "prefix", "size": "1", "replay": "50"},
        {"method": "full", "learning_rate": "0.003"},
        {"learning_rate": "0.3", "dropout": "50", "alpha": "64"},
    ],
)
def test_a_run_draws_its_course_and_what_it_costs(open_lab, knobs):
    app = checked(press(open_lab("lora", **QUICK, **knobs), "lora.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 2


def test_a_guess_is_scored_by_what_became_of_the_old_text(open_lab):
    app = open_lab("lora", **QUICK)
    radio = next(radio for radio in app.radio if "forgetting" in radio.key)
    app = press(radio.set_value("kept").run(), "lora.predict.forgetting.lock")
    app = checked(press(app, "lora.run"))
    assert any("correction is added" in info.value for info in app.info)


@pytest.mark.parametrize(
    ("rise", "verdict"), [(-0.1, "kept"), (0.05, "kept"), (0.3, "some"), (2.0, "much")]
)
def test_the_verdict_on_the_old_text(rise, verdict):
    looks = [tune.Look(0, 0.0, 1.0, 6.0, 0.9), tune.Look(9, 1.0, 1.0, 2.0, 0.9 + rise)]
    assert screen.forgetting(looks) == verdict


@pytest.mark.parametrize("name", METHODS)
def test_settings_that_a_method_does_not_read_make_no_other_run(name):
    one, other = Method(name, 4, 8.0, 0.1, "qv"), Method(name, 4, 2.0, 0.3, "mlp")
    reads = name in ("lora", "rslora", "dora")
    assert (screen.plain(one) != screen.plain(other)) == reads


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("gain", lora_study.GAINS)
@pytest.mark.parametrize("task", tune.NEW_TASKS)
def test_the_frontier_is_drawn(open_lab, language, task, gain):
    app = checked(open_lab("lora", language, part="frontier", task=task, gain=gain, cost="step_ms"))
    assert len(app.get("plotly_chart")) == 1
    assert len(app.dataframe) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {"part": "spectrum", "unveil": "1"},
        {
            "part": "spectrum",
            "unveil": "1",
            "matrix": "stack.layers.2.mlp.down",
            "task": "backwards",
        },
        {"part": "rates"},
        {"part": "rates", "rates_of": "scales"},
    ],
)
def test_recorded_studies_are_drawn(open_lab, language, knobs):
    app = checked(open_lab("lora", language, **knobs))
    assert len(app.get("echarts_chart")) == (2 if knobs["part"] == "spectrum" else 1)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("precision", "rank", "alpha"), [("fp32", "1", "64"), ("bf16", "32", "1")])
def test_start_and_merge(open_lab, language, precision, rank, alpha):
    app = checked(
        open_lab(
            "lora", language, part="mechanics", precision=precision, start_rank=rank,
            start_alpha=alpha, adapter="backwards",
        )
    )  # fmt: skip
    assert len(app.dataframe[0].value) == 4


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("weight", ["-1.0", "1.5"])
def test_adapters_are_added_up(open_lab, language, weight):
    app = checked(
        open_lab("lora", language, part="mixing", cipher=weight, backwards=weight, told="cipher")
    )
    assert len(app.get("echarts_chart")) == 2
    assert len(app.get("plotly_chart")) == 1


def packed(name: str) -> bytes:
    import torch

    from labcore.tuning.methods import tuned

    method = Method(name, 4)
    return peft_files.packed(
        tuned(teller.load_teller(), method, torch.Generator().manual_seed(0)), method
    )


@pytest.mark.parametrize("name", ["lora", "prefix"])
def test_an_adapter_comes_back(open_lab, name):
    app = open_lab("lora", part="mixing")
    data = bundled("cipher") if name == "lora" else packed(name)
    app = checked(app.file_uploader[0].upload("a.zip", data, "application/zip").run())
    assert "Your adapter alone" in said(app)
    assert ("cannot be scaled" in said(app)) == (name == "prefix")
    assert len(app.get("echarts_chart")) == 3


def test_what_is_no_adapter_is_said_in_a_sentence(open_lab):
    app = open_lab("lora", part="mixing")
    app = app.file_uploader[0].upload("a.zip", b"hello", "application/zip").run()
    assert not app.exception
    assert "no adapter that the lab can read" in said(app)


@pytest.mark.parametrize(
    "link",
    [
        {"part": "dance"}, {"method": "magic"}, {"size": "nan"}, {"replay": "-5"},
        {"part": "mixing", "cipher": "99"},
    ],
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_the_default(open_lab, link):
    app = open_lab("lora", **link)
    assert not app.exception
    assert not app.error


# Charts.


def test_a_time_is_that_of_the_quietest_seed():
    case = recorded("frontier", Frontier).cases["cipher"]["rank-1"]
    assert charts.cost_of(case, "step_ms") == case.step_ms.min()
    assert charts.cost_of(case, "kilobytes") == case.memory.total / 1e3


def test_runs_that_blew_up_do_not_squeeze_the_others():
    figure = charts.rates(recorded("rates", RateStudy), tuple(lora_rates.METHOD_CASES), EN)
    assert figure.spec["yAxis"][0]["max"] == charts.HIGHEST_NATS
    highest = max(y for line in figure.spec["series"] for _, y in line["data"])
    assert highest <= charts.HIGHEST_NATS


def test_the_ranks_of_a_cut_stand_at_their_names():
    from labcore.tuning.lora_spectrum import KEPT, SpectrumStudy

    study, runs = recorded("spectrum", SpectrumStudy), recorded("frontier", Frontier)
    figure = charts.cuts(study, runs, "cipher", EN)
    labels = figure.spec["xAxis"]["data"]
    learnt = figure.spec["series"][1]["data"]
    rank_8 = next(y for x, y in learnt if labels[int(x)] == "8")
    assert rank_8 == pytest.approx(runs.cases["cipher"]["rank-8"].new_nats.mean())
    assert [str(rank) for rank in KEPT] == labels
