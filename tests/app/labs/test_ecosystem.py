"""The map on the page: four parts in both languages, every filter, the fit at its ends, ways to the labs."""

import pytest

from app.i18n import LANGUAGES, Words
from tests.app.conftest import checked, press, said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("part", "plotly", "echarts"), [("map", 1, 0), ("fit", 0, 1), ("jobs", 0, 0), ("cases", 0, 0)]
)
def test_every_part_opens(open_lab, language, part, plotly, echarts):
    app = checked(
        open_lab("ecosystem", language, part=part, **({"unveil": "1"} if part == "fit" else {}))
    )
    assert len(app.get("plotly_chart")) == plotly
    assert len(app.get("echarts_chart")) == echarts


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {"licence_kind": "research"}, {"attention": "mla", "colour": "attention"}, {"mixtures": "1"},
        {"since": "2026"}, {"largest": "1", "licence_kind": "open"},
        {"since": "2024", "attention": "sliding"},
    ],
)  # fmt: skip
def test_every_filter_gives_models_or_says_that_there_are_none(open_lab, language, knobs):
    app = checked(open_lab("ecosystem", language, **knobs))
    assert app.get("plotly_chart") or app.info


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "knobs",
    [
        {"memory": "1.0", "bits": "16", "context": "131072", "batch": "64"}, {"memory": "512.0"},
        {"memory": "1.0"}, {"memory": "512.0", "bits": "8", "context": "512", "batch": "64"},
    ],
)  # fmt: skip
def test_the_fit_at_the_ends_of_its_knobs(open_lab, language, knobs):
    app = checked(open_lab("ecosystem", language, part="fit", unveil="1", **knobs))
    assert len(app.get("echarts_chart")) == 1


def test_the_guess_is_scored_as_the_text_says(open_lab):
    """Sixteen texts of 2.1 GB: 34 GB of cache into 16."""
    app = open_lab("ecosystem", part="fit")
    radio = next(one for one in app.radio if "predict.seven" in one.key)
    app = checked(press(radio.set_value("not").run(), "ecosystem.predict.seven.lock"))
    assert app.success


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("job", ["pretrain", "structure", "look_inside"])
def test_a_job_names_its_tools_and_labs(open_lab, language, job):
    app = checked(open_lab("ecosystem", language, part="jobs", want=job))
    assert Words(language, "ecosystem")("jobs.labs") in said(app)
    assert any(button.key.startswith(f"ecosystem.job.{job}.") for button in app.button)


@pytest.mark.parametrize(
    "knobs", [{"part": "x"}, {"memory": "-3", "part": "fit"}, {"since": "1066"}]
)
def test_a_link_with_nonsense_opens_all_the_same(open_lab, knobs):
    checked(open_lab("ecosystem", **knobs))
