"""The board: bytes that are held, losses that are the judge's, a front found by brute force, wishes read."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some

from app import results
from labcore.compression import board, judged
from labcore.compression.board import BoardConfig, BoardResult, Point, PointConfig
from labcore.compression.board_models import Apart, adapter, build, cut_model, kept_neurons
from labcore.compression.constraints import Wish, best, parse
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
        build(False, 0, "none", "fp32")(tokens).logits, judged.fresh_model()(tokens).logits
    )
    assert board.loss_through(build(False, 0, "none", "fp32"), "fp32") == pytest.approx(
        judged.loss_nats(judged.fresh_model()), abs=1e-5
    )


def test_a_repair_apart_and_merged_say_the_same():
    tokens = torch.arange(300, 340)[None]
    apart, merged = (build(False, 50, way, "fp32") for way in ("apart", "merged"))
    torch.testing.assert_close(apart(tokens).logits, merged(tokens).logits, atol=2e-4, rtol=1e-4)
    assert isinstance(apart.stack.layers[0].mlp.up, Apart)
    companions = sum(part.numel() for part in adapter(50).values())
    assert bytes_of(apart) - bytes_of(merged) == 4 * companions


def test_the_repairs_that_are_kept_repair():
    """The recipe's own numbers: 0.4495 -> 0.4483 at a quarter, 0.4978 -> 0.4550 at half."""
    for cut, gain in ((25, 0.0005), (50, 0.03)):
        before, after = (
            judged.loss_nats(cut_model(cut)),
            judged.loss_nats(build(False, cut, "merged", "fp32")),
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
    with pytest.raises(LabInputError) as error:
        build(*choice)
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
    with pytest.raises(LabInputError):
        board.pareto(np.array([[1.0, np.nan]]))


def test_every_point_of_a_smaller_front_is_on_the_larger(recorded):
    for few, more in itertools.pairwise(
        (board.QUANTITIES[:2], board.QUANTITIES[:4], board.QUANTITIES)
    ):
        small, large = (board.pareto(board.costs(recorded, names)) for names in (few, more))
        unique = len({tuple(row) for row in board.costs(recorded, few)}) == len(recorded)
        assert not unique or (large | ~small).all()


@pytest.mark.parametrize(
    ("text", "wishes"),
    [
        ("under 40 MB, under 20 ms", [("size_mb", "below", 40, False), ("token_ms", "below", 20, False)]),
        ("小于 40 MB，延迟 20 毫秒以内", [("size_mb", "below", 40, False), ("token_ms", "below", 20, True)]),
        ("首个词元不超过 0.5 秒；吞吐量至少 900 词元/秒",
         [("first_ms", "below", 500, True), ("tokens_per_second", "above", 900, True)]),
        ("first token < 30ms and memory <= 2 MiB",
         [("first_ms", "below", 30, False), ("memory_mb", "below", 2 * 2**20 / 1e6, True)]),
        ("loss below 0,46", [("loss_nats", "below", 0.46, False)]),
        ("0.5 nats", [("loss_nats", "below", 0.5, True)]),
        ("more than 2e3 tokens/s", [("tokens_per_second", "above", 2000, False)]),
        ("≥ 1500 tokens per second", [("tokens_per_second", "above", 1500, True)]),
        ("size 800 KB", [("size_mb", "below", 0.8, True)]),
    ],
)  # fmt: skip
def test_wishes_in_two_languages(text, wishes):
    assert parse(text) == ([Wish(*wish) for wish in wishes], [])


@pytest.mark.parametrize(
    "text",
    ["fast", "5 apples", "40", "loss under 4 MB", "under MB", "1 MB 2 MB", "<script>", "-5 ms"],
)
def test_what_is_not_understood_comes_back(text):
    wishes, unread = parse(text)
    assert not wishes or text == "-5 ms"
    assert unread or text == "-5 ms"


@settings(max_examples=80, deadline=None)
@given(some.text(max_size=120))
def test_no_text_breaks_the_reader(text):
    wishes, unread = parse(text)
    assert all(wish.quantity in board.QUANTITIES for wish in wishes)
    assert all(isinstance(part, str) for part in unread)


def test_too_much_text_is_refused():
    for text in ("x" * 400, "1 MB;" * 20):
        with pytest.raises(LabInputError):
            parse(text)


def point(mb, nats):
    return Point(PointConfig(), mb, nats, (1.0, 1.0, 1.0), (2.0, 1.0, 3.0), 500.0, mb + 1)


def test_the_best_under_limits_by_hand():
    """A (4, 0.44), B (2, 0.45), C (1, 0.60). Under 3 MB: B by loss, C by size; under 3 MB and 0.44: none."""
    points = [point(4, 0.44), point(2, 0.45), point(1, 0.60)]
    small = parse("under 3 MB")[0]
    assert (best(points, small, "loss_nats").at, best(points, small, "size_mb").at) == (1, 2)
    found = best(points, parse("under 3 MB, loss at most 0.44")[0], "loss_nats")
    assert (found.feasible, found.at, found.alone, found.missed) == (0, 1, (2, 1), (1,))
    assert best(points, [], "loss_nats").at == 0
    with pytest.raises(LabInputError):
        best([], small, "loss_nats")
    with pytest.raises(LabInputError):
        best(points, small, "beauty")


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
    many, narrow = PointConfig(batch=16), PointConfig(batch=16, cache="int8")
    assert at[many].tokens_per_second > 4 * whole.tokens_per_second
    assert at[narrow].memory_mb < 0.65 * at[many].memory_mb
    assert at[narrow].token_ms[0] > at[many].token_ms[0]
    on_all = board.pareto(board.costs(recorded, board.QUANTITIES)).mean()
    assert on_all > 0.5


@pytest.mark.parametrize(
    "wrong", [{"cut": 30}, {"repair": "glue"}, {"form": "fp1"}, {"cache": "fp1"}, {"batch": 0}]
)
def test_settings_without_sense_are_refused(wrong):
    with pytest.raises(LabInputError):
        PointConfig(**wrong)
    with pytest.raises(LabInputError):
        BoardConfig(())
