"""The page of "The Hugging Face way": four parts, both languages, a real run, knobs to their ends."""

import pytest

from app.chapter import source
from app.charts import hf as charts
from app.i18n import LANGUAGES, Words
from app.labs.alignment import hf_beside, hf_levels, hf_train
from labcore.tuning import hf_run
from labcore.tuning.hf_run import HFConfig, Told
from tests.app.conftest import checked, press, said

EN = Words("en", "hf")
RECORDED = {"en": "recorded", "zh": "实测录制"}
SMALL = {"model": "tiny-llama", "steps": "4"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_opens_on_the_recorded_run_with_the_command_and_the_script(open_lab, language):
    app = checked(open_lab("hf", language))
    assert RECORDED[language] in said(app)
    assert len(app.get("echarts_chart")) == 4
    codes = [block.value for block in app.code]
    assert "They purr because they are happy." in codes
    assert any(code.startswith("python hf_sft.py --model HuggingFaceTB/") for code in codes)
    assert hf_run.SCRIPT.read_text(encoding="utf-8").strip() in [code.strip() for code in codes]


def test_a_run_of_the_script_draws_its_course_and_offers_its_adapter(open_lab):
    """A real process; the guess is scored by the lengths of its two answers."""
    app = open_lab("hf", **SMALL)
    radio = next(radio for radio in app.radio if "answer" in radio.key)
    app = press(radio.set_value("same").run(), "hf.predict.answer.lock")
    app = checked(press(app, "hf.run"))
    assert "measured now" in said(app)
    assert len(app.get("echarts_chart")) == 4
    assert [*app.success, *app.info]
    assert any("adapter" in button.label.lower() for button in app.get("download_button"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_codes_stand_side_by_side(open_lab, language):
    app = checked(open_lab("hf", language, part="beside"))
    assert app.success
    assert any("def to_ids" in block.value for block in app.code)
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize("pair", hf_beside.PAIRS)
def test_every_pair_of_code_is_there(open_lab, pair):
    app = checked(open_lab("hf", part="beside", pair=pair))
    ours, theirs = hf_beside.PAIRS[pair]
    shown = [block.value for block in app.code]
    assert all(source(function).strip() in map(str.strip, shown) for function in ours)
    assert all(hf_beside.piece(name) in shown for name in theirs)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [{}, {"block": hf_levels.BLOCKS[0], "table": "even"},
     {"block": hf_levels.BLOCKS[-1], "double": "1", "layer": "4", "outlier": "50"}],
)  # fmt: skip
def test_the_levels_are_drawn_at_the_ends_of_the_knobs(open_lab, language, knobs):
    app = checked(open_lab("hf", language, part="levels", **knobs))
    assert len(app.get("plotly_chart")) == 1
    assert len(app.get("echarts_chart")) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_formats_and_training_open_on_recordings(open_lab, language):
    app = checked(open_lab("hf", language, part="qlora", unveil="1"))
    assert RECORDED[language] in said(app)
    assert len(app.dataframe[0].value) == 6
    app = checked(open_lab("hf", language, part="qlora", look="training"))
    assert len(app.dataframe[0].value) == 2
    assert len(app.get("echarts_chart")) == 3
    radio = next(radio for radio in app.radio if "repacked" in radio.key)
    app = checked(press(radio.set_value("barely").run(), "hf.predict.repacked.lock"))
    assert len(app.dataframe[0].value) == 3
    assert [*app.success, *app.info]


@pytest.mark.parametrize(
    "link",
    [{"part": "dance"}, {"trainer": "x"}, {"steps": "1e9"}, {"lora_rank": "3"}, {"question": ""},
     {"part": "levels", "block": "63"}, {"part": "qlora", "look": "x"}],
)  # fmt: skip
def test_a_link_with_nonsense_opens_on_what_there_is(open_lab, link):
    app = open_lab("hf", **link)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [("a b c d", "a b c d", "same"), ("a b c d", "a", "shorter"), ("a b", "a b c", "longer"),
     ("a", "", "noise")],
)  # fmt: skip
def test_the_verdict_on_an_answer(before, after, verdict):
    class Result:
        pass

    result = Result()
    result.before, result.after = [before], [after]
    assert hf_train.verdict(result) == verdict


def test_a_run_under_way_is_drawn_from_the_trainers_lines():
    told = [
        Told("log", 0, 0.1, {"step": 0, "eval_loss": 2.5}),
        Told("log", 1, 0.2, {"step": 1, "loss": 2.0, "learning_rate": 1e-3, "grad_norm": 1.0,
                             "seconds": 2.0, "cpu_seconds": 1.0, "rss_bytes": 1e9}),
        Told("log", 1, 0.2, {"step": 1, "train_loss": 2.0}),
    ]  # fmt: skip
    run = hf_run.course([one.values for one in told])
    figure = charts.loss(run, 12, EN)
    lines = {line["name"]: line["data"] for line in figure.spec["series"]}
    assert lines[EN("series.train")] == [[1, 2.0]]
    assert lines[EN("series.eval")] == [[0, 2.5]]


def test_a_piece_of_the_script_is_the_scripts(tmp_path):
    assert hf_beside.piece("to_chat").startswith("def to_chat(row):")
    with pytest.raises(KeyError):
        hf_beside.piece("no_such_function")


def test_the_command_of_a_config_names_its_changes():
    told = hf_run.arguments(HFConfig(load_4bit=True, lora_rank=2), "m", "d", "o")
    assert "--load-4bit" in told
    assert told[told.index("--lora-rank") + 1] == "2"
    assert "--lora-rank" not in hf_run.arguments(HFConfig(), "m", "d", "o")
