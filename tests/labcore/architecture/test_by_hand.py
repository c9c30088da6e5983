"""Self-attention by hand: against torch's autograd, against sums done on paper, and its invariants."""

import itertools
import math

import numpy as np
import pytest
import torch

from labcore.architecture import by_hand as lab
from labcore.architecture import by_hand_arithmetic as arithmetic
from labcore.architecture.by_hand import FIRST, MASKS, SCALES, STARTS, ByHandConfig
from labcore.errors import LabInputError


def given(start: str = "qkv", tokens: int = 4, width: int = 4, vector: int = 3, seed=None):
    """The lab's first numbers, or random ones, at a size."""
    random = np.random.default_rng(seed)
    found = []
    for name in (*STARTS[start], "upstream"):
        height = vector if name.startswith("w_") else tokens
        columns = vector if name == "x" else width
        rows = lab.fitted(name, FIRST[name], height, columns)
        if seed is not None:
            rows = tuple(map(tuple, random.normal(size=(height, columns)).tolist()))
        found.append((name, rows))
    return tuple(found)


def by_torch(config: ByHandConfig) -> tuple[dict[str, torch.Tensor], float]:
    """The gradients of everything that is given, by autograd, and the loss."""
    leaf = {
        name: torch.tensor(rows, dtype=torch.float64, requires_grad=True)
        for name, rows in config.given
    }
    if config.start == "x":
        q, k, v = (leaf["x"] @ leaf[f"w_{part}"] for part in "qkv")
    else:
        q, k, v = (leaf[part] for part in "qkv")
    d = q.shape[1]
    scores = q @ k.T * {"sqrt_d": 1 / math.sqrt(d), "none": 1.0, "d": 1 / d}[config.scale]
    seen = torch.ones_like(scores, dtype=torch.bool)
    if config.mask != "none":
        seen = seen.tril()
    if config.mask == "after":
        weights = scores.softmax(dim=-1) * seen
    else:
        weights = scores.masked_fill(~seen, -torch.inf).softmax(dim=-1)
    loss = (weights @ v * leaf["upstream"].detach()).sum()
    loss.backward()
    return {name: leaf[name].grad for name in STARTS[config.start]}, loss.item()


@pytest.mark.parametrize(("start", "scale", "mask"), list(itertools.product(STARTS, SCALES, MASKS)))
def test_every_gradient_is_autograds(start, scale, mask):
    config = ByHandConfig(given(start, 5, 3, 2, seed=1), start, scale, mask)
    gradients, loss = by_torch(config)
    walk = lab.run(config)
    assert walk.loss == pytest.approx(loss, rel=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(walk.matrices[f"d_{name}"], gradient, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(walk.nudged[name], gradient, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("mask", ["causal", "none"])
def test_the_forward_pass_is_torchs_own_attention(mask):
    walk = lab.run(ByHandConfig(given(seed=2), mask=mask))
    q, k, v = (torch.tensor(walk.matrices[part])[None] for part in "qkv")
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=mask == "causal")
    np.testing.assert_allclose(walk.matrices["outputs"], expected[0], atol=1e-12)


def test_the_first_picture_as_computed_on_paper():
    """Row 4 of R is q₄·k: (2,0,0,−1)·(0,1,0,0) = 0, ·(2,0,1,0) = 4, ·(0,1,2,0) = 0, ·(1,0,0,1) = 1.
    Halved: 0, 2, 0, 0.5. A₄₂ = e² / (1 + e² + 1 + e^½) = 7.3891 / 11.0378 = 0.66943.
    L = O₄₂ − O₃₃ = 2·0.66943 − A₃₃, and row 3 of S is 0, 2, 0: A₃₃ = 1 / (2 + e²) = 0.10651."""
    walk = lab.run(ByHandConfig())
    assert walk.matrices["products"][3].tolist() == [0, 4, 0, 1]
    assert walk.matrices["weights"][3, 1] == pytest.approx(0.66943, abs=5e-6)
    assert walk.loss == pytest.approx(2 * 0.66943 - 0.10651, abs=2e-5)
    assert lab.run(ByHandConfig(scale="none")).matrices["weights"][3, 1] == pytest.approx(
        math.exp(4) / (math.exp(4) + 2 + math.e)
    )


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("mask", ["causal", "none"])
def test_weights_sum_to_one_and_score_gradients_to_zero(scale, mask):
    walk = lab.run(ByHandConfig(given(seed=3), "qkv", scale, mask))
    np.testing.assert_allclose(walk.matrices["weights"].sum(axis=1), 1)
    np.testing.assert_allclose(walk.matrices["d_scores"].sum(axis=1), 0, atol=1e-14)


def test_behind_the_mask_there_is_neither_weight_nor_gradient():
    walk = lab.run(ByHandConfig(given(seed=4)))
    for name in ("weights", "d_scores", "d_products"):
        assert not walk.matrices[name][~walk.seen].any(), name
    assert np.isneginf(walk.matrices["masked"][~walk.seen]).all()


def test_zeros_after_the_softmax_leak_through_the_denominator():
    """The slip that the page warns of: rows sum to less than 1, and scores behind the mask get gradients."""
    walk = lab.run(ByHandConfig(mask="after"))
    assert (walk.matrices["weights"].sum(axis=1)[:-1] < 0.9).all()
    assert abs(walk.matrices["d_scores"][2, 3]) > 0.01


def test_a_masked_pass_is_a_pass_over_every_prefix():
    """Row t of the output needs the first t tokens and nothing else: one pass gives all answers."""
    numbers = {name: np.array(rows) for name, rows in given(seed=5)}
    whole = lab.forward(numbers["q"], numbers["k"], numbers["v"])
    for tokens in range(1, 5):
        part = lab.forward(*(numbers[name][:tokens] for name in "qkv"))
        np.testing.assert_allclose(whole.outputs[tokens - 1], part.outputs[-1], atol=1e-14)


def test_the_largest_numbers_do_not_overflow():
    """R reaches 6 · 99² = 58,806, and e^58806 is no float64; with the row's maximum taken off it is."""
    rows = (tuple([99.0] * 6), tuple([-99.0] * 6))
    config = ByHandConfig(
        tuple((name, rows) for name in ("q", "k", "v", "upstream")), scale="none", mask="none"
    )
    walk = lab.run(config)
    assert walk.matrices["weights"].tolist() == [[1, 0], [0, 1]]
    assert all(np.isfinite(values).all() for values in walk.matrices.values())


def test_one_token_of_width_one():
    """Its weight is 1 whatever the score, so only its value has a gradient: that of the output."""
    config = ByHandConfig(
        (("q", ((3.0,),)), ("k", ((2.0,),)), ("v", ((5.0,),)), ("upstream", ((7.0,),)))
    )
    walk = lab.run(config)
    assert walk.loss == 35
    assert (walk.matrices["d_q"], walk.matrices["d_k"], walk.matrices["d_v"]) == (0, 0, 7)


# What a learner or a link may bring.


def test_a_matrix_survives_the_link():
    rows = ((1.0, -0.25), (1234567e-5, 1e-7))
    assert lab.parse(lab.written(rows)) == ((1.0, -0.25), (12.3457, 1e-7))


@pytest.mark.parametrize(
    "text", ["", "a", "1,2;3", "nan", "inf", "1e9", "100", "1,,2", ";", "1;2;3;4;5;6;7", "1,2,3,4,5,6,7"]
)  # fmt: skip
def test_a_link_that_holds_no_such_matrix_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 (LabInputError is one, and so is float's own)
        lab.parse(text)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("q", {"q": ((1.0, float("nan")),)}),
        ("k", {"k": ((1.0, 100.0),)}),
        ("v", {"v": ((1.0,),)}),
        ("q", {"q": ()}),
        ("k", {"k": ((1.0, 2.0), (3.0, 4.0))}),
    ],
)
def test_a_matrix_that_does_not_fit_is_named(field, change):
    matrices = {name: ((1.0, 2.0),) for name in ("q", "k", "v", "upstream")} | change
    with pytest.raises(LabInputError) as refused:
        ByHandConfig(tuple(matrices.items()))
    assert refused.value.field == field


@pytest.mark.parametrize("field", ["start", "scale", "mask"])
def test_an_unknown_switch_is_refused(field):
    with pytest.raises(LabInputError) as refused:
        ByHandConfig(**{field: "sideways"})
    assert (refused.value.field, refused.value.rule) == (field, "known_choice")


def test_matrices_of_another_start_are_refused():
    with pytest.raises(LabInputError):
        ByHandConfig(given("qkv"), start="x")


def test_another_size_keeps_the_numbers_that_fit():
    grown = lab.fitted("q", ((9.0, 8.0),), 2, 3)
    assert grown == ((9.0, 8.0, FIRST["q"][0][2]), tuple(map(float, FIRST["q"][1][:3])))
    assert lab.fitted("q", grown, 1, 2) == ((9.0, 8.0),)


# The arithmetic in words.


def test_the_arithmetic_of_the_first_picture():
    walk = lab.run(ByHandConfig())
    told = {name: arithmetic.told(walk, name, 3, 1) for name in walk.matrices}
    assert told["products"] == "R₄₂ = 2·2 + 0·0 + 0·1 + (−1)·0 = 4"
    assert told["scores"] == "S₄₂ = 4 / √4 = 2"
    assert told["weights"].endswith("= 1 / 1.49 = 0.669")
    assert arithmetic.told(walk, "masked", 0, 1) == "M₁₂ = −∞  (2 > 1)"
    assert told["q"] == "Q₄₂ = 0"


@pytest.mark.parametrize(("start", "scale", "mask"), list(itertools.product(STARTS, SCALES, MASKS)))
def test_every_number_tells_how_it_came_about(start, scale, mask):
    """Each line ends in the value itself, and what it is made of exists."""
    walk = lab.run(ByHandConfig(given(start), start, scale, mask))
    for name, values in walk.matrices.items():
        assert {line.name for line in arithmetic.sources(walk, name)} <= set(walk.matrices)
        for i, j in np.ndindex(values.shape):
            first = arithmetic.told(walk, name, i, j).split("\n")[0]
            assert first.startswith(f"{arithmetic.place(name, i, j)} = ")
            assert arithmetic.shown(values[i, j]) in first.rsplit("= ", 1)[1]


@pytest.mark.parametrize("name", list(arithmetic.DOTS))
def test_the_lines_named_are_the_lines_multiplied(name):
    """What lights up in the picture really gives the number."""
    walk = lab.run(ByHandConfig(given("x", seed=6), "x"))
    left, right = arithmetic.DOTS[name]
    for i, j in np.ndindex(walk.matrices[name].shape):
        product = arithmetic.numbers(walk, left, i, j) @ arithmetic.numbers(walk, right, i, j)
        assert product == pytest.approx(walk.matrices[name][i, j])
