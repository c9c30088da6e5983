"""The published answers to "how large a model for this budget", held to the papers' own tables."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from labcore.errors import LabInputError
from labcore.scaling import chinchilla
from labcore.scaling.chinchilla import LAWS, LOSS_LAWS, OptimalConfig, share_out
from labcore.scaling.landmarks import LANDMARKS

GOPHER = 5.76e23
TABLE_3_TOKENS = [8.0e9, 20.2e9, 205.1e9, 1.5e12, 3.7e12, 5.9e12, 11.0e12, 21.2e12, 216.2e12]
TABLE_A3_TOKENS = [7.7e9, 20.0e9, 219.5e9, 1.7e12, 4.3e12, 7.1e12, 13.4e12, 26.5e12, 292.0e12]


@pytest.mark.parametrize(
    ("law", "tokens"), [("approach1", TABLE_3_TOKENS), ("approach2", TABLE_A3_TOKENS)]
)
def test_the_lines_run_through_hoffmanns_tables(law, tokens):
    """Their table 3 (67B and 1.5T for Gopher's budget) and table A3; sizes are rounded to two digits."""
    flops = chinchilla.TABLE_FLOPS[law]
    shares = [share_out(law, budget) for budget in flops]
    sizes = [share.parameters for share in shares]
    np.testing.assert_allclose(sizes, chinchilla.TABLE_SIZES, rtol=0.035)
    np.testing.assert_allclose([share.tokens for share in shares], tokens, rtol=0.06)


def test_the_third_approachs_table_is_its_law_up_to_rounding():
    sizes = LAWS["approach3"].size(chinchilla.TABLE_FLOPS["approach3"])
    np.testing.assert_allclose(sizes, chinchilla.TABLE_SIZES, rtol=0.08)


@pytest.mark.parametrize(
    ("law", "billions"), [("approach1", 67), ("approach2", 63), ("approach3", 40)]
)
def test_gophers_budget_would_have_suited_67_63_or_40_billion(law, billions):
    """Hoffmann et al., section 3.4 and figure A3."""
    assert share_out(law, GOPHER).parameters == pytest.approx(billions * 1e9, rel=0.02)


@pytest.mark.parametrize(("law", "billions"), [("approach1", 2.86), ("kaplan", 4.68)])
def test_the_two_models_of_their_head_to_head(law, billions):
    """Hoffmann et al., section D.4: what both laws say for 1e21 FLOPs."""
    assert share_out(law, 1e21).parameters == pytest.approx(billions * 1e9, rel=0.002)


@pytest.mark.parametrize("law", list(chinchilla.PUBLISHED_EXPONENTS))
def test_exponents_are_the_published_ones(law):
    """Hoffmann et al., table 2."""
    a, b = chinchilla.PUBLISHED_EXPONENTS[law]
    assert LAWS[law].exponent == pytest.approx(a, abs=0.005)
    assert 1 - LAWS[law].exponent == pytest.approx(b, abs=0.005)


def test_the_refit_gives_about_twenty_tokens_and_the_printed_constants_ninety():
    """Besiroglu et al.: a = 0.5126, about 20 tokens per parameter. Rounded: (9.6e22 / 3.2e10²) = 93."""
    assert LAWS["epoch"].exponent == pytest.approx(0.5126, abs=1e-4)
    assert share_out("epoch", GOPHER).tokens_per_parameter == pytest.approx(18.4, abs=0.1)
    assert share_out("printed", GOPHER).tokens_per_parameter == pytest.approx(92.6, abs=0.1)


@pytest.mark.parametrize("law", LOSS_LAWS)
def test_the_formula_for_the_best_size_is_where_the_loss_is_lowest(law):
    """scipy's search over N at a fixed budget, against the closed form."""
    found = minimize_scalar(
        lambda log_n: LAWS[law].loss(np.exp(log_n), GOPHER / 6 / np.exp(log_n)),
        bounds=(20, 28), method="bounded", options={"xatol": 1e-8},
    )  # fmt: skip
    share = share_out(law, GOPHER)
    assert share.parameters == pytest.approx(np.exp(found.x), rel=1e-4)
    assert share.loss_nats == pytest.approx(found.fun, rel=1e-9)


@pytest.mark.parametrize("law", list(LAWS))
def test_a_budget_and_its_best_size_belong_together(law):
    size = share_out(law, 3e22).parameters
    assert chinchilla.budget_for(law, size) == pytest.approx(3e22, rel=1e-9)


def test_a_loss_by_hand():
    """1.69 + 406.4 / 1e9^0.34 + 410.7 / 1e10^0.28 = 1.69 + 0.3539 + 0.6509."""
    by_hand = 1.69 + 406.4 / 1148.15 + 410.7 / 630.96
    assert LAWS["printed"].loss(1e9, 1e10) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.parametrize(("law", "published"), [("approach3", 0.74), ("epoch", 0.78)])
def test_counted_without_embeddings_small_models_follow_kaplan(law, published):
    """Pearce and Song's local exponents over Kaplan's sizes; counted whole the law keeps its own."""
    counted = chinchilla.counted_both_ways(LAWS[law])
    assert counted.inner_exponent == pytest.approx(published, abs=0.012)
    assert counted.total_exponent == pytest.approx(LAWS[law].exponent, abs=1e-6)
    large = chinchilla.counted_both_ways(LAWS[law], 1e11, 1e13)
    assert large.inner_exponent == pytest.approx(LAWS[law].exponent, abs=0.005)


def test_without_embeddings_the_chosen_tokens_are_optimal():
    """At one size of the line: neighbours at the same non-embedding budget have a higher loss."""
    law = LAWS["epoch"]
    counted = chinchilla.counted_both_ways(law)
    n, flops = counted.inner[120], counted.inner_flops[120]
    inner = n * np.array([0.9, 1.0, 1.1])
    losses = law.loss(chinchilla.with_embeddings(inner), flops / 6 / inner)
    assert losses[1] < min(losses[0], losses[2])


def test_a_result_holds_what_its_parts_say():
    result = chinchilla.run(OptimalConfig(law="epoch"))
    assert [share.law for share in result.shares] == list(LAWS)
    assert result.chosen == share_out("epoch", GOPHER)
    lowest = result.valley_sizes[result.valleys["epoch"].argmin()]
    assert lowest == pytest.approx(result.chosen.parameters, rel=0.05)


def test_gopher_was_too_large_and_llama_3_is_far_beyond_twenty():
    """The same budget: Gopher 280B on 300B tokens, Chinchilla 70B on 1.4T."""
    ratio = {one.title: one.tokens_per_parameter for one in LANDMARKS}
    flops = {one.title: one.flops for one in LANDMARKS}
    assert flops["Gopher 280B"] == pytest.approx(flops["Chinchilla 70B"], rel=0.2)
    assert ratio["Gopher 280B"] < 1.1
    assert ratio["Chinchilla 70B"] == 20
    assert ratio["Llama 3 8B"] == 1875
    assert flops["DeepSeek-V3"] == 6 * 37e9 * 14.8e12  # a mixture pays for active parameters


@pytest.mark.parametrize(
    ("bad", "field"),
    [({"law": "newton"}, "law"), ({"flops": 1.0}, "flops"), ({"flops": 1e40}, "flops")],
)
def test_what_cannot_be_asked(bad, field):
    with pytest.raises(LabInputError) as error:
        OptimalConfig(**bad)
    assert error.value.field == field
    with pytest.raises(LabInputError):
        chinchilla.loss_law("kaplan")
