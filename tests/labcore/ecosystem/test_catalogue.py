"""The map's facts against the lab's own counting and landmarks, and the fit by hand."""

import re

import pytest

from app import catalog
from app.i18n import Words
from labcore.ecosystem import catalogue, fit
from labcore.ecosystem.catalogue import KINDS, chosen, models
from labcore.ecosystem.fit import FitConfig
from labcore.errors import LabInputError
from labcore.model.counting import kv_cache_bytes, parameter_total
from labcore.model.presets import PRESETS
from labcore.scaling.landmarks import LANDMARKS

BY_NAME = {one.name: one for one in models()}


def test_every_row_has_a_source_a_date_and_a_licence():
    assert len(BY_NAME) == len(models()) >= 30
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", catalogue.checked())
    for one in models():
        assert one.sources
        assert all(re.match(r"https://|arXiv:\d{4}\.\d{4,5}$", source) for source in one.sources), (
            one.name
        )
        assert re.fullmatch(r"20\d\d(-(0[1-9]|1[0-2]))?", one.date)
        assert one.licence.kind in KINDS
        assert one.active is None or one.active < one.parameters


@pytest.mark.parametrize("one", [m for m in models() if m.preset], ids=lambda m: m.name)
def test_parameters_are_those_that_the_published_config_counts_to(one):
    """Within two percent: makers round."""
    assert parameter_total(PRESETS[one.preset].config) == pytest.approx(one.parameters, rel=0.02)


@pytest.mark.parametrize(
    "mark", [m for m in LANDMARKS if m.title in BY_NAME], ids=lambda m: m.title
)
def test_the_map_and_the_scaling_lab_say_the_same(mark):
    one = BY_NAME[mark.title]
    assert (one.parameters, one.active, one.tokens) == (mark.parameters, mark.active, mark.tokens)
    assert int(one.year) == mark.year


@pytest.mark.parametrize("one", [m for m in models() if m.maker == "Meta"], ids=lambda m: m.name)
def test_each_llama_stands_under_the_licence_of_its_own_version(one):
    """Meta wrote one for each: a name is "Llama 3.1 405B", its licence "Llama 3.1 community licence"."""
    version = one.name.split()[1]
    assert one.licence.id == f"llama-{version}"


def test_filters_by_hand():
    small = chosen(models(), {"open"}, {"mha", "gqa"}, 2024, 2e9, False)
    assert [one.name for one in small] == ["Qwen2.5 0.5B", "SmolLM2 135M", "SmolLM2 1.7B"]
    mixtures = chosen(models(), KINDS, catalogue.ATTENTION, 2018, 1e13, True)
    assert {"Mixtral 8x7B", "DeepSeek-V3", "Kimi K2"} <= {one.name for one in mixtures}
    assert chosen(models(), set(), catalogue.ATTENTION, 2018, 1e13, False) == []


def test_a_fit_by_hand():
    """Llama 2 7B: 6.7e9 weights in 4.5 bits are 3.77 GB; 2 · 32 layers · 4096 numbers · 4096 tokens · 2 bytes
    are 2.15 GB of cache. Together 5.92: into 8 GB with a tenth free (7.2), not into 6 (5.4)."""
    one = fit.fit(BY_NAME["Llama 2 7B"], FitConfig(8, 4, 4096, 1))
    assert one.weights_gb == pytest.approx(3.77, abs=0.01)
    assert one.cache_gb == pytest.approx(2 * 32 * 4096 * 4096 * 2 / 1e9)
    assert one.fits
    assert not fit.fit(BY_NAME["Llama 2 7B"], FitConfig(6, 4, 4096, 1)).fits
    assert fit.fit(BY_NAME["Llama 2 7B"], FitConfig(8, 4, 4097, 1)).too_long
    preset = PRESETS["llama-2-7b"].config
    assert kv_cache_bytes(preset, 4096, 2, 1) / 1e9 == pytest.approx(one.cache_gb)


def test_without_a_config_only_the_weights_count_and_it_is_said():
    one = fit.fit(BY_NAME["Kimi K2"], FitConfig(memory_gb=1000))
    assert one.cache_gb is None
    assert one.weights_gb == pytest.approx(1.04e12 * 4.5 / 8 / 1e9)


@pytest.mark.parametrize("wrong", [{"memory_gb": 0}, {"bits": 2}, {"context": 0}, {"batch": 0}])
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(LabInputError):
        FitConfig(**wrong)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_jobs_and_cases_lead_to_labs_that_exist_and_have_words(language):
    words = Words(language, "ecosystem")
    for kind in ("job", "case"):
        for one in catalogue.read(f"{kind}s")[kind]:
            assert set(one["labs"]) <= set(catalog.LABS), one["id"]
            assert words(f"{kind}.{one['id']}")
