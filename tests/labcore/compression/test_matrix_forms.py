"""Forms of one matrix: round trips, products equal to the dense one, bytes as derived, recorded times."""

import numpy as np
import pytest
import torch

from app import results
from labcore.compression import matrix_forms as lab
from labcore.compression.matrix_forms import FormsConfig, FormsResult
from labcore.compression.pruning import PruningConfig, keep_mask
from labcore.errors import LabInputError


def weight(rows: int = 24, columns: int = 32, share: float = 0.0) -> torch.Tensor:
    full = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0))
    return full * keep_mask(full.abs(), PruningConfig(share))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99, 1.0])
def test_csr_multiplies_as_the_dense_matrix_does(share):
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    dense = lab.ready("dense", weight(share=share), share, x)()
    assert torch.allclose(lab.ready("csr", weight(share=share), share, x)(), dense, atol=1e-5)


def test_fewer_rows_are_the_first_outputs():
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    dense = lab.ready("dense", weight(), 0.0, x)()
    assert torch.allclose(lab.ready("smaller", weight(), 0.5, x)(), dense[:, :12], atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_bitmap_and_its_values_are_the_matrix(share):
    whole = weight(5, 7, share)
    assert torch.equal(lab.unpack_bitmap(*lab.pack_bitmap(whole), (5, 7)), whole)


def test_two_four_comes_back_also_where_a_kept_weight_is_zero():
    whole = lab.two_four(weight())
    whole[0, :8] = 0
    assert torch.equal(lab.unpack_two_four(*lab.pack_two_four(whole)), whole)


def test_two_four_worked_by_hand():
    """Places 1, 3 and 0, 2, two bits each, the first lowest: 1 + 3·4 + 0·16 + 2·64 = 141."""
    values, codes = lab.pack_two_four(torch.tensor([[0.0, 5, 0, 7, 1, 0, 2, 0]]))
    assert values.tolist() == [[5, 7, 1, 2]]
    assert codes.tolist() == [141]


@pytest.mark.parametrize("share", [0.0, 0.5, 0.75])
def test_bytes_as_derived_on_the_page(share):
    whole, count = weight(64, 64, share), 64 * 64
    left = (1 - share) * count
    assert lab.stored_bytes("dense", whole, share) == 4 * count
    assert lab.stored_bytes("bitmap", whole, share) == 4 * left + count / 8
    assert lab.stored_bytes("csr", whole, share) == 8 * left + 4 * 65
    assert lab.stored_bytes("smaller", whole, share) == 4 * left
    assert sum(part.nbytes for part in lab.pack_two_four(lab.two_four(whole))) == 2.125 * count


def test_a_run_times_every_form_in_every_round():
    result = lab.run(FormsConfig(64, 2, 3))
    assert set(result.milliseconds) == set(lab.TIMED)
    for rounds in result.milliseconds.values():
        assert rounds.shape == (len(lab.SHARES), 3)
        assert (rounds > 0).all()
    assert result.largest_difference < 1e-4


@pytest.mark.parametrize("bad", [{"size": 8}, {"size": 4096}, {"tokens": 0}, {"rounds": 1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        FormsConfig(**bad)


def test_recorded_zeros_save_no_time_and_csr_pays_late():
    path = results.RECORDINGS / "pruning-forms.safetensors"
    result = results.load(path, FormsResult).result
    dense, csr, smaller = (np.median(result.milliseconds[name], axis=1) for name in lab.TIMED)
    half, most = lab.SHARES.index(0.5), lab.SHARES.index(0.99)
    assert dense == pytest.approx(np.full(len(dense), dense[0]), rel=0.3)
    assert csr[half] > 1.5 * dense[half]
    assert csr[most] < dense[most]
    assert smaller[half] < 0.75 * dense[0]
