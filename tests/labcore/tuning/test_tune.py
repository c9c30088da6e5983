"""Tasks, one run, what it holds in memory; starts, merging, sums; and what was recorded."""

from itertools import islice

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.training.objectives import causal_batch, held_out_loss
from labcore.tuning import lora_arithmetic as arithmetic
from labcore.tuning import lora_mechanics as mechanics
from labcore.tuning import lora_spectrum as spectra
from labcore.tuning import tale_tasks, teller, tune
from labcore.tuning.lora_arithmetic import ArithmeticStudy, MixConfig, bundled, read_updates
from labcore.tuning.lora_frontier import BEST_RATE, CASES, RANKS, Frontier
from labcore.tuning.lora_rates import METHOD_CASES, SCALE_CASES, RateStudy
from labcore.tuning.methods import METHODS, Method, memory, tuned
from labcore.tuning.peft_reading import with_adapter
from labcore.tuning.small_parts import Bottleneck


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"lora-{name}.safetensors", kind).result


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The base and the tasks.


def test_the_teller_is_as_good_as_its_recipe_says():
    """0.874 nats per token on held-out passages, 0.829 being the lowest possible."""
    loss = held_out_loss(teller.load_teller(), [tale_tasks.held_out("forwards")])
    assert loss == pytest.approx(0.8740, abs=2e-4)
    assert tale_tasks.lowest_nats() == pytest.approx(0.8290, abs=1e-4)


def test_no_held_out_passage_was_told_in_training():
    told = {story.text for story in teller.training_passages()}
    assert not told & {story.text for story in teller.held_out_passages()}


@pytest.mark.parametrize("task", tale_tasks.TASKS)
def test_a_task_is_a_bijection(task):
    """Told twice, a passage is itself again: nothing is lost, so the entropy is the same."""
    key = tale_tasks.cipher_key()
    rows = teller.rows(teller.held_out_passages())
    there = [tale_tasks.retold(row, task, key) for row in rows]
    assert [tale_tasks.retold(row, task, key) for row in there] == rows
    assert {(row[0], row[-1]) for row in there} == {(teller.opening(), teller.ending())}
    same = np.mean([one == other for one, other in zip(rows, there, strict=True)])
    assert same == 1 if task == "forwards" else same < 0.05


def test_the_cipher_swaps_forty_words_in_pairs():
    key = tale_tasks.cipher_key()
    moved = [token for token in range(len(key)) if key[token] != token]
    assert len(moved) == tale_tasks.SWAPPED
    assert all(tale_tasks.is_word(teller.vocabulary().label(token)) for token in moved)


# One run.


@pytest.mark.parametrize("name", [name for name in METHODS if name not in ("prompt", "prefix")])
def test_a_run_begins_at_the_base(name):
    first = next(tune.tune(tune.TuneConfig(Method(name))))
    assert first.old_nats == pytest.approx(0.8740, abs=1e-3)
    assert first.new_nats == pytest.approx(6.1416, abs=1e-2)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gets_better_at_the_new_text(name):
    config = tune.TuneConfig(Method(name, 4, alpha=8.0), steps=25)
    first, last = islice(tune.tune(config), 2)
    assert last.new_nats < first.new_nats - 0.2


def test_the_same_seed_runs_the_same_way_and_another_another():
    config = tune.TuneConfig(Method(dropout=0.2), steps=10, seed=3)
    one, other = (list(tune.tune(config))[-1] for _ in range(2))
    assert one == other
    assert list(tune.tune(tune.TuneConfig(steps=10, seed=4)))[-1] != one


def test_replayed_rows_are_the_share_that_was_asked_for():
    old = {tuple(row) for row in tale_tasks.training_rows("forwards")}
    batches = islice(tune.rows(tune.TuneConfig(replay=0.25), generator()), 60)
    told = [row[:5].tolist() for batch in batches for row in batch.tokens]
    starts = {row[:5] for row in old}
    share = np.mean([tuple(row) in starts for row in told])
    # Rows in cipher whose first words are not swapped look alike: without replay some do as well.
    plain = islice(tune.rows(tune.TuneConfig(), generator()), 60)
    alike = np.mean([tuple(r[:5].tolist()) in starts for b in plain for r in b.tokens])
    assert (share - alike) / (1 - alike) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: tune.TuneConfig(task="sideways"), lambda: tune.TuneConfig(learning_rate=0),
        lambda: tune.TuneConfig(steps=1), lambda: tune.TuneConfig(replay=1.0),
        lambda: Method("magic"), lambda: Method(size=0), lambda: Method(size=1000),
        lambda: Method(alpha=-1), lambda: Method(dropout=1.0), lambda: Method(part="ears"),
        lambda: MixConfig(cipher=9.0), lambda: mechanics.MergeConfig("x"),
        lambda: mechanics.MergeConfig(precision="int1"), lambda: mechanics.StartConfig(rank=0),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        bad()


def test_a_bottleneck_says_what_its_formula_says():
    """y + widen · gelu(narrow · y) behind a linear map, by hand with numbers of one's own."""
    base = torch.nn.Linear(2, 2, bias=False)
    part = Bottleneck(base, 1, generator())
    with torch.no_grad():
        base.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
        part.narrow.copy_(torch.tensor([[1.0, -1.0]]))
        part.widen.copy_(torch.tensor([[3.0], [0.5]]))
        said = part(torch.tensor([[3.0, 1.0]]))
    # y = (3, 2); narrow · y = 1; gelu(1) = Φ(1) = 0.841345.
    assert said[0].tolist() == pytest.approx([3 + 3 * 0.841345, 2 + 0.5 * 0.841345], abs=1e-5)


# Memory.


def test_memory_by_hand():
    """Rank 8 on all: 3 layers · 8 · (4 · 128 + 3 · 240) = 29,568 numbers that learn, beside 178,304."""
    batch = tale_tasks.held_out("cipher", 16)
    one = memory(tuned(teller.load_teller(), Method(), generator()), batch)
    assert one.weights == 4 * (178_304 + 29_568)
    assert (one.gradients, one.optimizer) == (4 * 29_568, 8 * 29_568)


def test_memory_is_measured_on_the_same_batch_whatever_the_run():
    """The recorded default, the recorded frontier and a run of today with another seed and old rows."""
    config = tune.TuneConfig(steps=10, seed=5, replay=0.3)
    now = tune.run(config).memory
    assert now == recorded("default", tune.TuneResult).memory
    assert now == recorded("frontier", Frontier).cases["cipher"]["lora"].memory


def test_what_a_linear_layer_keeps_for_the_backward_pass():
    """One linear layer and a cross-entropy: a tuned weight keeps the layer's input, a frozen one does not."""

    class Tiny(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = torch.nn.Embedding(7, 64).requires_grad_(False)
            self.inner = torch.nn.Linear(64, 64, bias=False)
            self.head = torch.nn.Linear(64, 7, bias=True)

        def forward(self, tokens, **more):
            return type("Said", (), {
                "logits": self.head(self.inner(self.embedding(tokens))), "balance_loss": 0.0,
            })()  # fmt: skip

    from labcore.tuning.methods import kept_bytes

    batch = causal_batch([[1, 2, 3, 4, 5]] * 8, 0)
    model = Tiny()
    both = kept_bytes(model, batch)
    model.inner.requires_grad_(False)
    without = kept_bytes(model, batch)
    assert both - without == 8 * 4 * 64 * 4  # (B, T, D) floats


# Starts, merging, sums.


def test_only_with_b_at_zero_is_the_model_what_it_was():
    found = mechanics.starts(mechanics.StartConfig())
    assert found.change[0] == 0
    assert found.nats[0] == found.base_nats
    assert (np.diff(found.change) > 0).all()
    assert found.nats[-1] > found.base_nats + 1


@pytest.mark.parametrize("adapter", tune.NEW_TASKS)
def test_merging_is_exact_in_32_bits_and_not_in_16(adapter):
    exact, coarse = (
        mechanics.merging(mechanics.MergeConfig(adapter, precision)) for precision in ("fp32", "bf16")
    )  # fmt: skip
    assert exact.merged_difference < 1e-3
    assert exact.merged_nats == pytest.approx(exact.beside_nats, abs=1e-5)
    assert exact.unmerged_nats == pytest.approx(exact.base_nats, abs=1e-5)
    assert coarse.unmerged_difference > 30 * exact.unmerged_difference
    assert coarse.not_restored > 0.1


def test_the_bundled_adapters_do_what_they_were_trained_for():
    """As good as the default run that made them; on the other task no better than the base."""
    reached = {"cipher": 1.1256, "backwards": 1.6887}
    for task, nats in reached.items():
        model = with_adapter(bundled(task))
        assert held_out_loss(model, [tale_tasks.held_out(task)]) == pytest.approx(nats, abs=2e-3)


def test_a_sum_with_no_weights_is_the_base_and_with_one_the_adapter():
    nothing = arithmetic.mix(MixConfig(0.0, 0.0))
    assert nothing.nats == nothing.base_nats
    alone = arithmetic.mix(MixConfig(1.0, 0.0))
    whole = tale_tasks.losses(with_adapter(bundled("cipher")), arithmetic.PASSAGES)
    assert alone.nats == pytest.approx(whole, abs=1e-4)


def test_an_adapter_of_ones_own_joins_the_sum():
    """The bundled adapter brought along as one's own, with half the weight twice over."""
    data = bundled("cipher")
    halves = arithmetic.mix(MixConfig(0.5, 0.0, data, 0.5))
    assert halves.nats == pytest.approx(arithmetic.mix(MixConfig(1.0, 0.0)).nats, abs=1e-4)
    judged = arithmetic.judge(data)
    assert judged.has_updates
    assert judged.parameters == 29_568


def test_an_update_of_lora_has_rank_8():
    updates = read_updates(bundled("cipher")).values()
    ranks = {int(torch.linalg.matrix_rank(update, rtol=1e-4)) for update in updates}
    assert ranks == {8}


def test_cutting_to_rank_r_keeps_what_the_singular_values_say():
    """Eckart and Young: the squared distance is the sum of the squares left out."""
    matrix = torch.randn(12, 20, generator=generator())
    values = spectra.singular_values(matrix)
    for rank in (0, 3, 12):
        off = matrix - spectra.cut_to_rank(matrix, rank)
        assert float((off**2).sum()) == pytest.approx(
            (values[rank:] ** 2).sum(), rel=1e-4, abs=1e-6
        )
    assert spectra.energy(values)[-1] == pytest.approx(1)


# What was recorded.


def test_every_case_was_recorded_with_three_seeds():
    study = recorded("frontier", Frontier)
    for task, cases in CASES.items():
        assert list(study.cases[task]) == list(cases)
        assert all(len(case.new_nats) >= 3 for case in study.cases[task].values())
    rates = recorded("rates", RateStudy)
    assert set(rates.new_nats) == set(METHOD_CASES | SCALE_CASES)


def test_alpha_over_r_holds_larger_ranks_back_and_alpha_over_its_root_does_not():
    """At rate 0.003 ranks 8 and 32 are level under α/r; under α/√r each rank gains on the one before,
    and one rate is the best for all three."""
    study = recorded("rates", RateStudy)
    place = study.rates.tolist().index(0.003)
    level, apart = (
        [study.new_nats[f"{name}-{rank}"][place] for rank in (2, 8, 32)]
        for name in ("lora", "rslora")
    )
    assert abs(level[1].mean() - level[2].mean()) < 0.1
    assert apart[0].min() > apart[1].max() + 0.3
    assert apart[1].min() > apart[2].max() + 0.3
    assert {study.best_rate(f"rslora-{rank}") for rank in (2, 8, 32)} == {0.01}
    assert {study.best_rate(f"lora-{rank}") for rank in (2, 32)} == {0.01, 0.03}


def test_the_rates_of_the_frontier_are_as_good_as_the_best():
    study = recorded("rates", RateStudy)
    for name in METHOD_CASES:
        ends = study.new_nats[name].mean(axis=1)
        chosen = ends[study.rates.tolist().index(BEST_RATE[name])]
        assert chosen <= ends.min() + 0.1


@pytest.mark.parametrize("task", tune.NEW_TASKS)
def test_more_rank_reaches_more_and_all_weights_most(task):
    cases = recorded("frontier", Frontier).cases[task]
    means = [cases[f"rank-{rank}"].new_nats.mean() for rank in RANKS]
    assert cases["rank-1"].new_nats.min() > cases["rank-4"].new_nats.max()
    assert cases["rank-2"].new_nats.min() > cases["rank-8"].new_nats.max()
    assert cases["full"].new_nats.max() < min(means)


def test_rank_1_on_all_matrices_beats_rank_8_on_queries_and_values():
    """With fewer numbers that learn, 3,696 against 6,144."""
    cases = recorded("frontier", Frontier).cases["cipher"]
    assert cases["rank-1"].parameters < cases["qv"].parameters
    assert cases["rank-1"].new_nats.max() < cases["qv"].new_nats.min()


def test_frozen_weights_do_not_keep_the_old_text():
    """Every LoRA forgets more than a nat of it, as a full fine-tune does."""
    study = recorded("frontier", Frontier)
    for name in ("rank-1", "rank-8", "rank-32", "full"):
        assert (study.cases["cipher"][name].old_nats > study.start_nats["forwards"] + 1).all()


def test_the_recorded_run_is_the_one_of_today():
    first, second = islice(tune.tune(tune.TuneConfig()), 2)
    looks = recorded("default", tune.TuneResult).looks
    assert first.new_nats == pytest.approx(looks[0].new_nats, rel=1e-4)
    assert second.new_nats == pytest.approx(looks[1].new_nats, rel=1e-2)


def test_an_update_is_of_lower_rank_than_chance_and_not_of_low_rank():
    """The 8 largest of 64 singular values: more than random numbers hold, less than nine tenths."""
    study = recorded("spectrum", spectra.SpectrumStudy)
    chance = spectra.energy(study.random)[:, 7].mean()
    for one in study.tasks.values():
        held = spectra.energy(one.values)[..., 7].mean(axis=1)  # (S,)
        assert (held > chance + 0.1).all()
        assert (held < 0.9).all()


def test_a_cut_that_cuts_nothing_changes_nothing():
    study = recorded("spectrum", spectra.SpectrumStudy)
    for one in study.tasks.values():
        np.testing.assert_allclose(one.cut_nats[:, -1], one.full_nats, atol=1e-3)


def test_the_arithmetic_was_recorded_at_both_ends():
    """Weight 0 is the base, whoever's weight it is; (1, 0) is the adapter alone."""
    study = recorded("arithmetic", ArithmeticStudy)
    zero, one = arithmetic.LINE.index(0.0), arithmetic.LINE.index(1.0)
    for line in study.line.values():
        np.testing.assert_allclose(line[:, zero], np.tile(study.base, (len(line), 1)), rtol=1e-6)
    place = arithmetic.GRID.index(1.0)
    np.testing.assert_allclose(study.grid[:, place, 0], study.line["cipher"][:, one], rtol=1e-6)
