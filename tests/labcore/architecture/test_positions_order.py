"""Words reordered: who is blind by algebra, who sees by the mask, and how a probe reads a place."""

import numpy as np
import pytest
import torch

from labcore.architecture import positions_order as lab
from labcore.architecture.positions_order import OrderConfig, PlaceConfig
from labcore.errors import LabInputError

ENCODINGS = ("rope", "alibi", "t5", "sinusoidal", "learned")


def readers(**knobs):
    result = lab.run(OrderConfig(**knobs))
    return result, {(reader.kind, reader.encoding): reader for reader in result.readers}


@pytest.mark.parametrize("order", lab.ORDERS)
@pytest.mark.parametrize("layers", [1, 4])
def test_an_encoder_without_positions_is_permutation_equivariant(order, layers):
    """Attn(PX) = P Attn(X): only the order of additions differs, hence the last digits."""
    _, found = readers(order=order, layers=layers)
    blind = found["encoder", "none"]
    assert blind.change.max() < 1e-5
    assert blind.first_noticed is None


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_any_encoding_opens_the_encoders_eyes(encoding):
    _, found = readers(order="shuffle", encoding=encoding)
    assert found["encoder", encoding].change.max() > 1e-3


def test_a_decoder_without_positions_notices_from_the_swapped_pair_on():
    """Before the pair nothing can differ, bit for bit: later tokens are behind the mask."""
    result, found = readers(order="swap", layers=2)
    pair = (len(result.before) - 1) // 2
    reader = found["decoder", "none"]
    assert not reader.change[:pair].any()
    assert reader.first_noticed == pair
    assert (reader.change[pair:] > lab.NOTICED).all()


def test_one_layer_without_positions_does_not_know_the_order_of_what_came_before():
    """After the pair, the set of earlier tokens is the same, and a sum has no order; two layers mix in what
    the pair itself saw."""
    result, found = readers(order="swap", layers=1)
    after = (len(result.before) - 1) // 2 + 2
    assert found["decoder", "none"].change[after:].max() < 1e-5
    assert found["decoder", "rope"].change[after:].max() > 1e-3


def test_orders_are_permutations_and_show_as_such():
    assert lab.reordered(5, "swap", 0) == [0, 1, 3, 2, 4]
    assert lab.reordered(2, "swap", 0) == [1, 0]
    assert lab.reordered(4, "reverse", 0) == [3, 2, 1, 0]
    shuffled = [lab.reordered(30, "shuffle", seed) for seed in (0, 0, 1)]
    assert sorted(shuffled[0]) == list(range(30))
    assert shuffled[0] == shuffled[1] != shuffled[2]
    result, _ = readers(order="reverse")
    assert result.after == result.before[::-1]


def test_the_probe_finds_a_place_that_is_there_and_no_other():
    """A vector that holds its place, hidden in a mixture, is read without error; noise gives chance."""
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(64, 20, 4, generator=rng)
    mixed = noise.clone()
    mixed[..., 1] = torch.arange(20.0) - 2 * noise[..., 0]
    mixed[..., 2] = noise[..., 0]
    assert lab.place_error(mixed) < 0.2
    # A guess of the middle of 0…19 is off by 5 on average: the mean of 0.5, 1.5, … 9.5.
    assert lab.place_error(noise) == pytest.approx(5, abs=0.3)


def test_the_mask_writes_the_place_into_a_decoder_and_not_into_an_encoder():
    result = lab.ask_places(PlaceConfig(layers=2))
    encoder, decoder = result.errors["encoder"], result.errors["decoder"]
    assert encoder == pytest.approx(np.full(3, result.chance), rel=0.03)
    assert decoder[0] == pytest.approx(result.chance, rel=0.03)  # embeddings alone know nothing
    assert decoder[2] < decoder[1] < 0.95 * result.chance


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ({"text": ""}, "not_empty"),
        ({"text": "a"}, "two_tokens"),
        ({"order": "sort"}, "known_choice"),
        ({"encoding": "fourier"}, "known_choice"),
        ({"layers": 5}, "between"),
    ],
)
def test_what_has_no_order_is_refused(bad, rule):
    with pytest.raises(LabInputError) as error:
        lab.run(OrderConfig(**bad))
    assert error.value.rule == rule


def test_the_probe_has_bounds():
    with pytest.raises(LabInputError):
        PlaceConfig(layers=0)
