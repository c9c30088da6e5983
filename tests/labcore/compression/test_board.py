"""The board: bytes that are held, losses that are the judge's, a front found by brute force."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from app import results
from labcore.compression import board, judged
from labcore.compression.board import BoardConfig, BoardResult, Point, PointConfig
from labcore.compression.board_models import (
    Apart,
    adapter,
    build,
    check_exists,
    cut_model,
    kept_neurons,
)
from labcore.compression.sparse_linear import Csr
from labcore.compression.stored_linear import Torch4, Torch8, bytes_of
from labcore.errors import LabInputError
from labcore.serving.narrow_cache import ByteCache, cache_in, encode

RECORDED = results.RECORDINGS / "board-field.safetensors"


@pytest.fixture(scope="module")
def recorded():
    return results.load(RECORDED, BoardResult).result.points


def test_nothing_done_is_the_model_itself():
    tokens = torch.arange(300, 340)[None]
    assert torch.equal(
        build(False, 0, "none", 0, "fp32")(tokens).logits, judged.fresh_model()(tokens).logits
    )
    assert board.loss_through(build(False, 0, "none", 0, "fp32"), "fp32") == pytest.approx(
        judged.loss_nats(judged.fresh_model()), abs=1e-5
    )


def test_a_repair_apart_and_merged_say_the_same():
    tokens = torch.arange(300, 340)[None]
    apart, merged = (build(False, 50, way, 0, "fp32") for way in ("apart", "merged"))
    torch.testing.assert_close(apart(tokens).logits, merged(tokens).logits, atol=2e-4, rtol=1e-4)
    assert isinstance(apart.stack.layers[0].mlp.up, Apart)
    companions = sum(part.numel() for part in adapter(50).values())
    assert bytes_of(apart) - bytes_of(merged) == 4 * companions


def test_a_sparse_map_holds_what_is_not_zero_and_says_the_same():
    """[[0, 5, 0], [0, 0, 0], [7, 0, −1]]: 3 values and 3 columns of 4 bytes, 3 + 1 beginnings: 40 bytes."""
    weight = torch.tensor([[0.0, 5, 0], [0, 0, 0], [7, 0, -1]])
    sparse = Csr(weight)
    assert bytes_of(sparse) == 4 * (3 + 3 + 4)
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(sparse(x), x @ weight.T)
    assert torch.equal(Csr(torch.zeros(4, 3))(x), torch.zeros(2, 5, 4))


def test_zeros_are_really_there_and_only_csr_holds_fewer_bytes():
    """Of 786,432 weights half go: dense forms hold as much as before, CSR 8 bytes for each one left."""
    dense, sparse = (build(False, 0, "none", 50, form) for form in ("fp32", "csr"))
    counts = [int((m.weight == 0).sum()) for m in judged.matrices(dense).values()]
    assert sum(counts) == 786_432 // 2
    assert bytes_of(dense) == bytes_of(judged.fresh_model())
    maps = [m for m in sparse.modules() if isinstance(m, Csr)]
    rows = sum(m.matrix.shape[0] + 1 for m in maps)
    assert sum(bytes_of(m) for m in maps) == 8 * 786_432 // 2 + 4 * rows
    tokens = torch.arange(300, 340)[None]
    torch.testing.assert_close(sparse(tokens).logits, dense(tokens).logits, atol=2e-4, rtol=1e-4)


def test_the_repairs_that_are_kept_repair():
    """The recipe's own numbers: 0.4495 -> 0.4483 at a quarter, 0.4978 -> 0.4550 at half."""
    for cut, gain in ((25, 0.0005), (50, 0.03)):
        before, after = (
            judged.loss_nats(cut_model(cut)),
            judged.loss_nats(build(False, cut, "merged", 0, "fp32")),
        )
        assert after < before - gain


def test_neurons_go_in_groups_that_every_kernel_can_hold():
    """Two layers of 64: half of all go, the better half of the order is 40 and 24; both keep 32."""
    worth = torch.cat([torch.arange(64) + 40.0, torch.arange(64) + 24.0]).view(2, 64)
    kept = kept_neurons(worth, 50)
    assert kept.sum(dim=1).tolist() == [32, 32]
    assert kept[0, 32:].all()
    for cut in (25, 50):
        assert all(block.mlp.up.weight.shape[0] % 32 == 0 for block in cut_model(cut).stack.layers)


@pytest.mark.parametrize(
    ("choice", "rule"),
    [
        ((True, 25, "none", "fp32"), "student_is_whole"),
        ((False, 0, "merged", "fp32"), "repairs_a_cut"),
        ((True, 0, "none", "torch-8"), "kernel_multiples"),
        ((True, 0, "none", "torch-4"), "kernel_multiples"),
    ],
)
def test_what_does_not_exist_is_refused(choice, rule):
    for refusing in (check_exists, lambda *c: build(*c[:3], 0, c[3])):
        with pytest.raises(LabInputError) as error:
            refusing(*choice)
        assert error.value.rule == rule


def test_torchs_kernels_refuse_matrices_that_they_would_get_wrong():
    """On 40 inputs the int8 kernel gives nonsense or ends the process."""
    for kernel, shape in ((Torch8, (32, 40)), (Torch4, (40, 32)), (Torch4, (32, 48))):
        with pytest.raises(LabInputError):
            kernel(torch.randn(shape, generator=torch.Generator().manual_seed(0)))


def test_a_byte_cache_by_hand_and_its_bytes():
    """(0.5, −2): scale 2/127, codes 32 and −127. Three tokens, two heads of 4: d + 4 bytes each, twice."""
    codes, scale = encode(torch.tensor([[0.5, -2.0]]))
    assert codes.tolist() == [[32, -127]]
    assert scale.item() == pytest.approx(2 / 127)
    cache = ByteCache()
    x = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(1))
    k, _ = cache.update("layer", x, x)
    assert cache.bytes() == 2 * 2 * 3 * (4 + 4)
    assert (k - x).abs().max() <= scale_of(x) / 2 + 1e-6
    again, _ = cache.update("layer", x, x)
    torch.testing.assert_close(again[:, :, :3], k)  # what was rounded once is not rounded again
    with pytest.raises(LabInputError):
        cache_in("int3")


def scale_of(x):
    return x.abs().max() / 127


@pytest.mark.parametrize(("form", "share"), [("bf16", 0.5), ("int8", 36 / 128)])
def test_a_narrow_cache_holds_less_and_says_nearly_the_same(form, share):
    model, tokens = judged.fresh_model(), torch.arange(300, 340)[None]
    whole, narrow = cache_in("fp32"), cache_in(form)
    with torch.no_grad():
        expected, got = model(tokens, cache=whole).logits, model(tokens, cache=narrow).logits
    assert narrow.bytes() == pytest.approx(share * whole.bytes())
    assert (got - expected).abs().max() < 0.15
    assert not torch.equal(got, expected)


def test_a_run_measures_what_is_held():
    plain, narrow = (
        PointConfig(),
        PointConfig(cut=50, repair="apart", form="torch-4", cache="int8", batch=4),
    )
    got = board.run(BoardConfig((plain, narrow), rounds=3)).points
    assert got[0].size_mb == bytes_of(judged.fresh_model()) / 1e6
    numbers = 2 * 4 * 4 * 32 * (board.PROMPT + board.WRITTEN)  # keys and values of a text
    assert got[0].memory_mb - got[0].size_mb == pytest.approx(4 * numbers / 1e6)
    assert got[1].memory_mb - got[1].size_mb == pytest.approx(4 * numbers * 36 / 32 / 1e6)
    for point in got:
        for middle, low, high in (point.first_ms, point.token_ms):
            assert 0 < low <= middle <= high
        assert point.tokens_per_second == pytest.approx(
            1e3 * point.config.batch / point.token_ms[0]
        )


def by_definition(costs):
    return [
        not any(
            all(o <= m for o, m in zip(other, mine, strict=True)) and other != mine
            for other in costs
        )
        for mine in costs
    ]


@settings(max_examples=60, deadline=None)
@given(some.lists(some.tuples(*[some.integers(0, 4)] * 3), min_size=1, max_size=25))
def test_the_front_is_what_its_definition_says(costs):
    assert board.pareto(np.array(costs)).tolist() == by_definition(costs)


def test_the_front_by_hand_and_without_numbers():
    assert board.pareto(np.array([[1, 3], [2, 2], [2, 3]])).tolist() == [True, True, False]
    assert board.pareto(np.array([[1.0, 1.0], [1.0, 1.0]])).all()
    assert board.pareto(board.costs([], ("size_mb", "loss_nats"))).tolist() == []
    assert board.pareto(np.array([[1.0, np.inf], [2.0, np.inf]])).tolist() == [True, False]
    for wrong in ([[1.0, np.nan]], [1.0, 2.0]):
        with pytest.raises(LabInputError):
            board.pareto(np.array(wrong))


def test_a_span_by_hand():
    """4 texts, 2 ms a token (1 to 8): 2,000 tokens a second, 500 to 4,000."""
    point = Point(PointConfig(batch=4), 1.0, 0.5, (3.0, 2.0, 5.0), (2.0, 1.0, 8.0), 2000.0, 2.0)
    assert board.span(point, "tokens_per_second") == (500.0, 4000.0)
    assert board.span(point, "first_ms") == (2.0, 5.0)
    assert board.span(point, "size_mb") == (1.0, 1.0)
    row = board.rows([point])[0]
    assert (row["token_ms"], row["token_ms_low"], row["token_ms_high"]) == (2.0, 1.0, 8.0)
    assert board.rows([]) == []


def test_a_clock_of_one_thread_counts_one_thread():
    before = torch.get_num_threads()
    with board.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_every_point_of_a_smaller_front_is_on_the_larger(recorded):
    for few, more in itertools.pairwise(
        (board.QUANTITIES[:2], board.QUANTITIES[:4], board.QUANTITIES)
    ):
        small, large = (board.pareto(board.costs(recorded, names)) for names in (few, more))
        unique = len({tuple(row) for row in board.costs(recorded, few)}) == len(recorded)
        assert not unique or (large | ~small).all()


def test_what_was_recorded(recorded):
    """Numbers that the lab's text quotes, and the orders that it draws from them."""
    at = {p.config: p for p in recorded}
    assert set(at) == set(board.field())
    whole, four = at[PointConfig()], at[PointConfig(form="torch-4")]
    assert whole.loss_nats == pytest.approx(judged.loss_nats(judged.fresh_model()), abs=1e-4)
    assert four.size_mb < 0.4 * whole.size_mb
    assert four.loss_nats < whole.loss_nats + 0.001
    half = PointConfig(cut=50)
    merged, apart = PointConfig(cut=50, repair="merged"), PointConfig(cut=50, repair="apart")
    assert at[merged].loss_nats < at[half].loss_nats - 0.03
    assert at[apart].token_ms[0] > 1.1 * at[merged].token_ms[0]
    assert at[PointConfig(student=True)].token_ms[0] < 0.5 * whole.token_ms[0]
    zeros, csr = PointConfig(zeros=50), PointConfig(zeros=50, form="csr")
    assert at[zeros].size_mb == whole.size_mb < at[csr].size_mb
    assert at[csr].token_ms[0] > 1.2 * at[zeros].token_ms[0]
    many, narrow = PointConfig(batch=16), PointConfig(batch=16, cache="int8")
    assert at[many].tokens_per_second > 4 * whole.tokens_per_second
    assert at[narrow].memory_mb < 0.65 * at[many].memory_mb
    assert at[narrow].token_ms[0] > at[many].token_ms[0]
    on_all = board.pareto(board.costs(recorded, board.QUANTITIES)).mean()
    assert on_all > 0.4  # 64 of 128; times differ a little at every recording


@pytest.mark.parametrize(
    "wrong",
    [
        {"cut": 30},
        {"zeros": 33},
        {"repair": "glue"},
        {"form": "fp1"},
        {"cache": "fp1"},
        {"batch": 0},
    ],
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(LabInputError):
        PointConfig(**wrong)
    for board_wrong in ({"points": ()}, {"rounds": 2}):
        with pytest.raises(LabInputError):
            BoardConfig(**board_wrong)
