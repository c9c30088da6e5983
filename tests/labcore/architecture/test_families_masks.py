"""Who sees whom: masks drawn by hand, their reach, and the model's own answer to a swapped token."""

import copy

import numpy as np
import pytest
import torch

from labcore.architecture import families_masks as lab
from labcore.architecture.families_masks import MasksConfig, PaddingConfig
from labcore.errors import LabInputError
from labcore.zoo import load

REAL = torch.ones(4, dtype=torch.bool)


def grid(rows: str) -> np.ndarray:
    return np.array([[cell == "1" for cell in row] for row in rows.split()])


@pytest.mark.parametrize(
    ("shape", "window", "prefix", "drawn"),
    [
        ("full", 0, 0, "1111 1111 1111 1111"),
        ("causal", 0, 0, "1000 1100 1110 1111"),
        ("full", 2, 0, "1100 1110 0111 0011"),
        ("causal", 2, 0, "1000 1100 0110 0011"),
        ("prefix", 0, 2, "1100 1100 1110 1111"),
        ("prefix", 0, 0, "1000 1100 1110 1111"),  # no prefix: a decoder
        ("prefix", 0, 4, "1111 1111 1111 1111"),  # all prefix: an encoder
    ],
)
def test_masks_of_four_tokens_drawn_by_hand(shape, window, prefix, drawn):
    assert (lab.who_sees_whom(shape, REAL, window, prefix).numpy() == grid(drawn)).all()


def test_padding_is_seen_by_nobody_and_a_prefix_counts_real_tokens():
    real = torch.tensor([False, True, True, True])
    assert (lab.who_sees_whom("full", real).numpy() == grid("0111 0111 0111 0111")).all()
    assert (lab.who_sees_whom("causal", real).numpy() == grid("0000 0100 0110 0111")).all()
    assert (lab.who_sees_whom("prefix", real, 0, 2).numpy() == grid("0000 0110 0110 0111")).all()


def test_reach_grows_by_window_minus_one_per_layer():
    """w = 3: after l layers exactly 2 l tokens back, as far as there are any."""
    allowed = lab.who_sees_whom("causal", torch.ones(12, dtype=torch.bool), window=3)
    for layer, reached in enumerate(lab.reach(allowed, 4), start=1):
        assert reached[-1].sum() == min(12, 2 * layer + 1)
    back = torch.arange(12)[:, None] - torch.arange(12)
    assert (lab.reach(allowed, 4)[3] == ((back >= 0) & (back <= 8))).all()


def test_the_joint_mask_of_an_encoder_decoder_drawn_by_hand():
    assert (lab.joint_mask(2, 3).numpy() == grid("11000 11000 11100 11110 11111")).all()


@pytest.mark.parametrize("shape", list(lab.MODELS))
@pytest.mark.parametrize("window", [0, 3])
@pytest.mark.parametrize(("side", "hide"), [("left", True), ("left", False), ("right", True)])
def test_what_moves_is_what_the_mask_lets_through_in_every_layer(shape, window, side, hide):
    config = MasksConfig(shape, window=window, side=side, hide_padding=hide)
    result = lab.run(config)
    assert result.agreeing == result.reach.size
    if shape == "causal":
        ahead = np.triu(np.ones(result.allowed.shape, bool), 1)
        assert result.change[:, ahead].max() < lab.NOTHING


@pytest.mark.parametrize("shape", ["full", "causal"])
def test_the_drawn_mask_is_the_one_that_the_model_makes_for_itself(shape):
    """The model of the lab, told of padding and window in its own way, gives the same vectors."""
    config = MasksConfig(shape, window=3, side="left")
    loaded = load(lab.MODELS[shape])
    tokens, real, _ = lab.read_batch(loaded, config)
    model = copy.deepcopy(loaded.model)
    model.stack.config = model.stack.config.with_(sliding_window=3)
    own = model(tokens, real, trace=True).trace["layers.0.attn.mask"]
    for row in (0, 1):
        drawn = lab.who_sees_whom(shape, real[row], window=3)
        assert (own[row, 0] == drawn).all()


def test_a_token_moves_itself_and_is_moved_by_its_whole_length_or_so():
    result = lab.run(MasksConfig())
    own = result.change[-1].diagonal()[result.real]
    assert (own > 0.05).all()


def test_padding_harms_only_where_it_is_seen():
    """A decoder's padding on the right is hidden by the causal mask; everywhere else it must be hidden."""
    result = lab.padding(PaddingConfig())
    assert result.padding == 8  # 17 tokens against 9
    for damage in result.damages:
        harmless = damage.hidden or (damage.shape, damage.side) == ("causal", "right")
        assert damage.share < 1e-6 if harmless else damage.share > 0.3, damage


def test_texts_of_equal_length_need_no_padding():
    result = lab.padding(PaddingConfig("Lily smiled.", "Anna smiled."))
    assert result.padding == 0
    assert all(damage.share < 1e-6 for damage in result.damages)


def test_long_texts_are_cut_and_counted():
    result = lab.run(MasksConfig(first="Lily " * 100, row=0))
    assert len(result.labels) == lab.MOST_TOKENS
    assert result.dropped_tokens > 0


@pytest.mark.parametrize("text", ["🙂", "[MASK] [MASK]", "שלום", "a\x00b", "<|eos|>"])
@pytest.mark.parametrize("shape", list(lab.MODELS))
def test_any_text_can_be_drawn(text, shape):
    result = lab.run(MasksConfig(shape, text, text))
    assert np.isfinite(result.change).all()
    assert result.agreeing == result.reach.size


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"shape": "round"}, "shape"), ({"side": "top"}, "side"), ({"row": 2}, "row"),
        ({"window": -1}, "window"), ({"window": 99}, "window"), ({"prefix": 99}, "prefix"),
        ({"first": " "}, "first"), ({"second": ""}, "second"),
    ],
)  # fmt: skip
def test_a_bad_knob_is_refused(changes, field):
    with pytest.raises(LabInputError) as caught:
        MasksConfig(**changes)
    assert caught.value.field == field
