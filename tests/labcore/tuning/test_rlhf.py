"""Reinforcement learning: credit and losses against TRL and by hand, the critic, the course of a run."""

import math
from collections import defaultdict
from itertools import islice
from types import SimpleNamespace

import pytest
import torch
from trl import GRPOTrainer, RLOOTrainer

from labcore.errors import LabInputError
from labcore.tuning import rlhf, rlhf_step, sums
from labcore.tuning.base_policy import load_policy
from labcore.tuning.critic import Critic, explained_share
from labcore.tuning.policy_losses import exact_kl
from labcore.tuning.reward_model import load_reward_model
from labcore.tuning.rlhf_config import RLHFConfig
from labcore.tuning.rlhf_exam import entropy

QUICK = {"steps": 5, "prompts": 4, "group_size": 4}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rollout_of(scores: list[float], lengths: tuple[int, ...], seed: int = 0) -> rlhf_step.Rollout:
    """Answers of these lengths, made up of noise."""
    size, width = len(scores), max(lengths)
    real = torch.arange(width)[None] < torch.tensor(lengths)[:, None]
    old, was = -torch.rand(2, size, width, generator=generator(seed)) * 2
    empty = torch.zeros(size, width, dtype=torch.int64)
    return rlhf_step.Rollout(
        empty, empty, real, torch.tensor(scores), old * real, was * real
    )  # fmt: skip


# Against TRL, on the same numbers.


def trl_loss(trainer, loss_type: str, logprobs, rollout, advantages, beta: float, clip: float):
    """`_compute_loss` of a TRL trainer, given everything that its model would have computed."""
    accelerator = SimpleNamespace(reduce=lambda x, **_: x, gather=lambda x: x, num_processes=1)
    metrics = {"train": defaultdict(list)}
    stand_in = SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (logprobs, torch.zeros_like(logprobs), None),
        beta=beta, epsilon_low=clip, epsilon_high=clip, loss_type=loss_type,
        importance_sampling_level="token", top_entropy_quantile=1.0, aux_loss_enabled=False,
        off_policy_mask_threshold=None, use_vllm=False, _entropy_bonus_enabled=False,
        max_completion_length=sums.RESPONSE_TOKENS, current_gradient_accumulation_steps=1,
        accelerator=accelerator, _metrics=metrics, model=SimpleNamespace(training=True),
        args=SimpleNamespace(use_bias_correction_kl=False, delta=None),
    )  # fmt: skip
    mask = rollout.real.long()
    inputs = {
        "prompt_ids": rollout.prompts, "prompt_mask": torch.ones_like(rollout.prompts),
        "completion_ids": rollout.responses, "completion_mask": mask,
        "advantages": advantages, "old_per_token_logps": rollout.old_logprobs,
        "ref_per_token_logps": rollout.reference_logprobs,
        "old_logps": rollout.old_logprobs.sum(dim=1),
    }  # fmt: skip
    return trainer._compute_loss(stand_in, None, inputs), metrics["train"]


@pytest.mark.parametrize(
    ("averaging", "loss_type"),
    [("sequence", "grpo"), ("token", "bnpo"), ("constant", "dr_grpo")],
)
@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_the_loss_and_its_gradient_are_trls(averaging, loss_type, beta):
    """TRL 1.16's own GRPO loss with its k3 penalty, in its three ways of averaging; and its clip share."""
    rollout = rollout_of([1.0, 0.0, 0.0, 1.0], (3, 5, 2, 4))
    config = RLHFConfig(
        averaging=averaging, beta=beta, kl_place="loss", estimator="k3", group_size=4, clip=0.2
    )
    credit, _ = rlhf_step.credit(config, rollout, torch.zeros_like(rollout.old_logprobs))
    moved = rollout.old_logprobs + 0.4 * torch.randn(4, 5, generator=generator(1)) * rollout.real
    ours, theirs = (moved.clone().requires_grad_(True) for _ in range(2))
    loss, clipped = rlhf_step.policy_loss(config, ours, rollout, credit)
    expected, said = trl_loss(GRPOTrainer, loss_type, theirs, rollout, credit[:, 0], beta, 0.2)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert clipped == pytest.approx(said["clip_ratio/region_mean"][0], rel=1e-5)
    assert 0 < clipped < 1
    loss.backward()
    expected.backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)


def test_rloos_first_update_is_trls():
    """TRL holds the ratio of whole answers against the clip, we that of tokens: at first both
    give −A ∇ ln π(answer). Averaged by a constant ours is 1/R of TRL's mean over answers."""
    rollout = rollout_of([1.0, 0.0, 0.0, 1.0], (3, 5, 2, 4))
    config = RLHFConfig("rloo", averaging="constant", group_size=4)
    credit, _ = rlhf_step.credit(config, rollout, torch.zeros_like(rollout.old_logprobs))
    ours, theirs = (rollout.old_logprobs.clone().requires_grad_(True) for _ in range(2))
    rlhf_step.policy_loss(config, ours, rollout, credit)[0].backward()
    trl_loss(RLOOTrainer, "", theirs, rollout, credit[:, 0], 0.0, 0.2)[0].backward()
    assert theirs.grad.abs().max() > 0.1
    assert torch.allclose(sums.RESPONSE_TOKENS * ours.grad, theirs.grad, atol=1e-6)


# By hand.


def test_ppo_by_hand():
    """One answer of two tokens, score 1, k1 = 0.5 and −0.25 nats, β = 0.2, values 0.1 and 0.4, λ = 0.5.

    Rewards: −0.2 · 0.5 = −0.1, and 1 + 0.2 · 0.25 = 1.05. δ₂ = 1.05 − 0.4 = 0.65;
    δ₁ = −0.1 + 0.4 − 0.1 = 0.2. Â₂ = 0.65, Â₁ = 0.2 + 0.5 · 0.65 = 0.525. Returns 0.625 and 1.05.
    Mean 0.5875, spread 0.0625 · √2 = 0.08839: whitened −0.7071 and 0.7071.
    """
    rollout = rlhf_step.Rollout(
        torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 2, dtype=torch.int64),
        torch.ones(1, 2, dtype=torch.bool), torch.tensor([1.0]),
        torch.tensor([[-0.5, -1.0]]), torch.tensor([[-1.0, -0.75]]),
    )  # fmt: skip
    config = RLHFConfig("ppo", beta=0.2, decay=0.5)
    credit, returns = rlhf_step.credit(config, rollout, torch.tensor([[0.1, 0.4]]))
    assert returns[0].tolist() == pytest.approx([0.625, 1.05])
    assert credit[0].tolist() == pytest.approx([-(0.5**0.5), 0.5**0.5], rel=1e-5)


def test_the_penalty_is_taken_off_the_score_before_groups_are_compared():
    """REINFORCE shows it bare: score 1, k1 summed over two tokens 0.25, β = 0.2: 0.95 for every token."""
    rollout = rollout_of([1.0, 0.0], (2, 1))
    rollout.old_logprobs[0] = torch.tensor([-0.5, -1.0])
    rollout.reference_logprobs[0] = torch.tensor([-1.0, -0.75])
    config = RLHFConfig("reinforce", beta=0.2, group_size=2)
    credit, _ = rlhf_step.credit(config, rollout, torch.zeros(2, 2))
    assert credit[0].tolist() == pytest.approx([0.95, 0.95])
    assert credit[1, 1] == 0  # padding is given none


@pytest.mark.parametrize("algorithm", ["grpo", "rloo"])
def test_a_dead_group_moves_nothing(algorithm):
    rollout = rollout_of([1.0, 1.0, 1.0, 1.0], (2, 3, 2, 3))
    config = RLHFConfig(algorithm, group_size=4)
    credit, _ = rlhf_step.credit(config, rollout, torch.zeros(4, 3))
    assert (credit == 0).all()


def test_whitened_credit_has_no_mean_and_unit_spread_over_real_tokens():
    rollout = rollout_of([0.0, 0.0], (2, 5))
    white = rlhf_step.whitened(torch.randn(2, 5, generator=generator(2)), rollout.real)
    assert white[rollout.real].mean().item() == pytest.approx(0, abs=1e-6)
    assert white[rollout.real].std().item() == pytest.approx(1, rel=1e-5)
    assert (white[~rollout.real] == 0).all()


# The critic.


def test_a_critic_must_not_have_seen_the_token_it_foretells_from():
    """Changing token t changes V at t + 1 and later, never at t or before."""
    critic = Critic(load_policy())
    torch.nn.init.normal_(critic.value.weight, generator=generator(3))
    asked = sums.draw_sums(1, generator())
    answers = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8]])
    other = answers.clone()
    other[0, 4] = 9
    with torch.no_grad():
        before, after = critic(asked.tokens, answers)[0], critic(asked.tokens, other)[0]
    assert torch.equal(before[:5], after[:5])
    assert (before[5:] != after[5:]).all()


def test_what_a_critic_explains_by_hand():
    """Returns 0 to 3: foretold whole 1; by their mean 0; backwards: misses ±3, ±1, twice as wide, 1 − 4."""
    came, real = torch.tensor([[0.0, 1.0, 2.0, 3.0]]), torch.ones(1, 4, dtype=torch.bool)
    assert explained_share(came, came, real) == pytest.approx(1)
    assert explained_share(torch.full((1, 4), 1.5), came, real) == pytest.approx(0)
    assert explained_share(came.flip(1), came, real) == pytest.approx(-3)


# A run.


def test_entropy_and_distance_are_torchs():
    logits, others = torch.randn(2, 3, 5, generator=generator(4)).unbind()
    p, q = (torch.distributions.Categorical(logits=one) for one in (logits, others))
    assert torch.allclose(entropy(logits), p.entropy(), atol=1e-6)
    assert torch.allclose(
        exact_kl(logits, others), torch.distributions.kl_divergence(p, q), atol=1e-6
    )


def test_the_verifier_does_the_sum_and_a_reward_model_is_the_bundled_one():
    asked = sums.Sums(torch.tensor([37, 37]), torch.tensor([48, 48]))
    answers = sums.written(torch.tensor([85, 84]), torch.tensor([2, 0]))
    assert rlhf.judge_named("verifier")(asked, answers).tolist() == [1, 0]
    expected = load_reward_model("shallow")(asked.tokens, answers)
    assert torch.equal(rlhf.judge_named("shallow")(asked, answers), expected)


def test_the_first_look_is_at_the_reference_itself():
    first = next(rlhf.align(RLHFConfig()))
    assert (first.step, first.share) == (0, 0)
    assert first.divergence_nats == pytest.approx(0, abs=1e-5)
    assert math.isnan(first.loss)
    assert math.isnan(first.clipped)


@pytest.mark.parametrize("algorithm", ["grpo", "ppo"])
def test_the_same_seed_runs_the_same_way_and_another_does_not(algorithm):
    config = RLHFConfig(algorithm, "verifier", seed=3, **QUICK)
    again = RLHFConfig(algorithm, "verifier", seed=4, **QUICK)
    one, other, third = (list(islice(rlhf.align(c), 2))[-1] for c in (config, config, again))
    assert one.step == 5
    assert one.divergence_nats == other.divergence_nats
    assert one.divergence_nats != third.divergence_nats


def test_with_answers_weighed_alike_the_first_loss_is_zero_and_the_policy_moves_all_the_same():
    """Ratios are 1 and credits cancel within each group: the value says nothing, the gradient does."""
    config = RLHFConfig("rloo", "verifier", averaging="sequence", epochs=1, **QUICK)
    look = list(islice(rlhf.align(config), 2))[-1]
    assert look.loss == pytest.approx(0, abs=1e-6)
    assert look.gradient_norm > 0.01
    assert look.divergence_nats > 0
    assert look.clipped == 0  # used once, nothing has moved yet


def test_the_weak_policy_is_the_half_trained_one_stopped_half_way():
    """Its text and seed are those of the bundled policy's recipe, which it would have become."""
    weak = rlhf.starting_policy("weak")
    asked = sums.draw_sums(200, generator(7), held_out=True)
    right = {
        name: sums.is_right(asked, rlhf_step.answer(policy, asked, generator())).double().mean()
        for name, policy in (("weak", weak), ("half", load_policy()))
    }
    assert right["weak"] < 0.15 < 0.25 < right["half"]


def test_a_policy_to_begin_with_is_a_copy():
    one, other = (rlhf.starting_policy("weak") for _ in range(2))
    with torch.no_grad():
        one.token_embedding.weight.zero_()
    assert other.token_embedding.weight.abs().sum() > 0


@pytest.mark.parametrize(
    "bad",
    [
        {"algorithm": "dpo"}, {"reward": "rater"}, {"start": "cold"}, {"kl_place": "nowhere"},
        {"estimator": "k4"}, {"averaging": "median"}, {"beta": -1}, {"clip": 0}, {"group_size": 1},
        {"prompts": 0}, {"epochs": 0}, {"learning_rate": 1.0}, {"steps": 1}, {"decay": 1.5},
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError) as caught:
        RLHFConfig(**bad)
    assert caught.value.field == next(iter(bad))
