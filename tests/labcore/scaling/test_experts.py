"""The small mixture: its texts, its race, what is read off its choices, and what its recordings show."""

import numpy as np
import pytest
import torch

from app import results
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.scaling import experts, experts_text
from labcore.scaling.experts import ROUTED, VARIANTS, ExpertsConfig, ExpertsResult, model_of
from labcore.text.masking import IGNORE
from labcore.training.objectives import held_out_loss, mean_token_loss

QUICK = ExpertsConfig(experts=4, steps=6, look_every=3, seeds=(0, 1))


@pytest.fixture(scope="module")
def trained():
    events = []
    return drain(experts.train_side_by_side(QUICK), events.append), events


# The texts.


def test_every_fact_is_asked_once_and_always_has_the_same_answer():
    text = experts_text.text_of("facts", 0)
    told = {}
    for batch in (text.judged, next(text.batches), next(text.batches)):
        triples, targets = batch.tokens.view(-1, 3), batch.targets.view(-1, 3)
        assert (targets[:, [0, 2]] == IGNORE).all()
        assert torch.equal(targets[:, 1], triples[:, 2])
        for who, what, value in triples.tolist():
            assert told.setdefault((who, what), value) == value
    asked = text.judged.tokens.view(-1, 3)[:, :2]
    assert len(set(map(tuple, asked.tolist()))) == len(asked) == 40 * 40


def test_a_seed_draws_another_table():
    first, again, other = (experts_text.text_of("facts", seed).judged.tokens for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert (first != other).float().mean() > 0.3


def test_stories_are_told_in_both_languages():
    text = experts_text.text_of("stories", 0)
    share = experts_text.chinese(text.judged).mean()
    assert 0.3 < share < 0.7
    assert text.floor_nats > 0
    assert next(text.batches).tokens.shape == (experts_text.STORY_ROWS, 32)


# The four models.


def test_dense_has_the_operations_and_wide_the_parameters_of_the_mixture(trained):
    """The router alone is extra: D·E = 128 parameters in each of 2 layers, 3 · 2 · 256 operations."""
    result, _ = trained
    size = dict(zip(result.names, result.parameters, strict=True))
    work = dict(zip(result.names, result.flops_per_token, strict=True))
    assert work["moe"] - work["dense"] == 3 * 2 * 2 * 32 * 4
    # Four MLPs of width 32 have four shifts of the inner width as one of width 128 has, if any.
    assert size["moe"] - size["wide"] == 2 * 32 * 4
    assert size["moe"] == size["free"] > 1.3 * size["dense"]
    for name, expected in size.items():
        model = Transformer(model_of(QUICK, name, 120))
        assert sum(p.numel() for p in model.parameters()) == expected


def test_only_the_balanced_mixture_pays_for_imbalance():
    batch = experts_text.text_of("facts", 0).judged
    for name, pays in (("moe", True), ("free", False), ("dense", False)):
        model = Transformer(model_of(QUICK, name, 120), torch.Generator().manual_seed(0))
        loss, minimised = mean_token_loss(model, batch)
        assert (minimised > loss) == pays


@pytest.mark.parametrize("normalise", [False, True])
def test_one_expert_with_a_weight_of_one_teaches_its_router_nothing(normalise):
    """The trap of `normalise`: w / w = 1 whatever the router says."""
    config = ExpertsConfig(experts=4, normalise=normalise)
    model = Transformer(model_of(config, "free", 120), torch.Generator().manual_seed(0))
    loss, _ = mean_token_loss(model, experts_text.text_of("facts", 0).judged)
    loss.backward()
    gradient = model.stack.layers[0].mlp.router.weight.grad
    assert (gradient is None or gradient.abs().max() < 1e-7) == normalise


# The race.


def test_looks_judge_like_the_shared_loss(trained):
    result, _ = trained
    model = Transformer(model_of(QUICK, "free", 120), torch.Generator().manual_seed(0))
    judged = experts_text.text_of("facts", 0).judged
    at = result.names.index("free")
    assert result.loss_nats[at, 0, 0] == pytest.approx(held_out_loss(model, [judged]), rel=1e-5)


def test_a_race_is_the_same_whoever_runs_along(trained):
    result, _ = trained
    alone = experts.run(
        ExpertsConfig(experts=4, steps=6, look_every=3, seeds=(1,), variants=("moe",))
    )
    at = result.names.index("moe")
    np.testing.assert_allclose(alone.loss_nats[0, 0], result.loss_nats[at, 1], rtol=1e-5)
    np.testing.assert_allclose(alone.load[0, 0], result.load[0, 1], atol=0.01)


def test_events_and_result_tell_the_same(trained):
    result, events = trained
    assert [event.step for event in events] == [*range(7)] * 2
    assert events[-1].share == 1
    assert result.steps.tolist() == [0, 3, 6]
    looks = [event.looks for event in events if event.looks]
    assert len(looks) == 6
    assert result.right[2, 1, 2] == pytest.approx(looks[-1][2].right)
    assert all(
        earlier < later for earlier, later in zip(events[1].seconds, events[6].seconds, strict=True)
    )
    assert (result.step_seconds > 0).all()


def test_loads_are_shares_of_the_choices_kept(trained):
    """The routes of the first seed, counted, are its last loads."""
    result, _ = trained
    assert result.load.shape == (2, 2, 3, 2, 4)
    np.testing.assert_allclose(result.load.sum(axis=-1), 1, rtol=1e-5)
    for variant in range(2):
        for layer in range(2):
            counted = np.bincount(result.routes[variant, layer], minlength=4) / len(result.tokens)
            np.testing.assert_allclose(counted, result.load[variant, 0, -1, layer], atol=1e-6)
    assert len(result.labels) == len(np.unique(result.tokens)) == 40
    assert result.labels[0] == "property 0"
    assert (result.before < 40).all()  # a name


# What is read off them.


def test_experts_in_use_and_the_busiest_by_hand():
    even, one = np.full(4, 0.25), np.array([1.0, 0, 0, 0])
    half = np.array([0.5, 0.5, 0, 0])
    np.testing.assert_allclose(experts.experts_in_use(np.stack([even, one, half])), [4, 1, 2])
    np.testing.assert_allclose(experts.busiest(np.stack([even, one, half])), [1, 4, 2])


def test_guessing_an_expert_from_a_key():
    """The key decides: all right. It does not: the commonest expert's share."""
    keys = np.tile([0, 0, 1, 1], 50)
    assert experts.guessed(keys, keys * 3) == 1
    rng = np.random.default_rng(0)
    expert = (rng.random(4000) < 0.3).astype(int)
    assert experts.guessed(rng.integers(0, 5, 4000), expert) == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"text": "poems"}, "text"), ({"experts": 1}, "experts"), ({"experts": 2, "chosen": 3}, "chosen"),
        ({"balance": -0.1}, "balance"), ({"steps": 0}, "steps"), ({"seeds": ()}, "seeds"),
        ({"variants": ("moe", "x")}, "variants"), ({"seeds": tuple(range(9))}, "seeds"),
        ({"look_every": 0}, "look_every"),
    ],
)  # fmt: skip
def test_a_race_that_cannot_be_run(bad, field):
    with pytest.raises(LabInputError) as error:
        ExpertsConfig(**bad)
    assert error.value.field == field


# What was recorded, and what the lab's words rely on.


def recorded(name: str) -> ExpertsResult:
    return results.load(results.RECORDINGS / f"budget-{name}.safetensors", ExpertsResult).result


@pytest.fixture(scope="module")
def facts() -> ExpertsResult:
    return recorded("facts")


@pytest.mark.parametrize("name", list(experts.RECORDED))
def test_a_recording_is_of_its_config(name):
    config, result = experts.RECORDED[name], recorded(name)
    assert (result.names, result.seeds, result.experts) == (VARIANTS, config.seeds, config.experts)
    assert result.routed == ROUTED
    assert result.steps[-1] == config.steps
    assert (result.loss_nats > result.floor_nats).all()


def test_a_race_of_today_begins_like_the_recorded_one(facts):
    """Seed 0 up to its first look: early steps, in which kernels of other machines differ little."""
    events = experts.race(experts.RECORDED["facts"], 0)
    first = next(events)
    losses = [look.loss_nats for look in first.looks]
    np.testing.assert_allclose(losses, facts.loss_nats[:, 0, 0], rtol=1e-3)


def test_experts_store_facts_that_equal_operations_do_not(facts):
    """The worst seed of the mixture knows more than the best of the dense model; the wide one most."""
    right = dict(zip(facts.names, facts.right[:, :, -1], strict=True))
    assert right["moe"].min() > right["dense"].max()
    assert right["free"].min() > right["dense"].max()
    assert right["wide"].mean() > right["moe"].mean() > right["free"].mean()


def test_a_mixture_takes_as_long_as_the_wide_model_for_a_third_of_its_operations(facts):
    work = dict(zip(facts.names, facts.flops_per_token, strict=True))
    spent = dict(zip(facts.names, facts.step_seconds.mean(axis=1), strict=True))
    assert work["wide"] > 3 * work["moe"]
    assert spent["moe"] > spent["wide"]
    assert spent["moe"] > 1.8 * spent["dense"]


def test_without_balance_the_second_router_collapses_at_first_and_stays_uneven(facts):
    used = experts.experts_in_use(facts.load)[:, :, :, 1]  # (R, S, M) of the second layer
    balanced, free = used
    assert (free[:, 1] < 1.1).sum() == 4  # seeds of five: everything to one expert at step 25
    assert (balanced[:, 1] > free[:, 1]).all()
    assert balanced[:, -1].min() > free[:, -1].max()
    assert balanced[:, -1].min() > 12
    assert experts.busiest(facts.load)[1, :, -1].max() > experts.busiest(facts.load)[0, :, -1].max()


def test_stories_need_no_experts_and_sort_themselves_by_token():
    """All four end alike; the token names its expert more often than chance, a language alone hardly."""
    stories = recorded("stories")
    final = stories.loss_nats[:, :, -1].mean(axis=1)
    assert final.max() - final.min() < 0.12
    for layer in range(2):
        route = stories.routes[0, layer]
        chance = experts.guessed(np.zeros(len(route)), route)
        assert experts.guessed(stories.tokens, route) > chance + 0.2
