"""The ward of rewards: where a score is read, whom it is compared with, and what pulls a policy back.

In the world of sums the policy, the reward model and the reference are small enough to hold every number
against one worked out another way.

Axes: B answers, R response tokens, Q questions, G answers to each, V vocabulary.
"""

import torch
from torch import Tensor

from labcore.bugs.case import Bug, Parts, Reading, Test, Ward, equal
from labcore.tuning import sums
from labcore.tuning.advantages import group_advantages
from labcore.tuning.base_policy import load_policy
from labcore.tuning.kl_estimators import cosine, gradients, two_policies
from labcore.tuning.policy_losses import exact_kl, kl_estimate
from labcore.tuning.reward_model import RewardModel, load_reward_model
from labcore.tuning.rollouts import token_logprobs

ANSWERS = 24
QUESTIONS, GROUP = 12, 8
WIDER = 2  # more columns of padding, as a longer answer in the batch brings them
DISTANCE = 2.0  # between policy and reference

# The parts, and what people wrote in their place.


def read_where_it_ends(model: RewardModel, prompts: Tensor, responses: Tensor) -> Tensor:
    """The score of each answer.  (B, P), (B, R) -> (B,)"""
    return model(prompts, responses)


def read_at_the_last_column(model: RewardModel, prompts: Tensor, responses: Tensor) -> Tensor:
    hidden = model.trunk(torch.cat([prompts, responses], dim=1)).hidden
    return model.score(hidden[:, -1])[:, 0]


def compared_in_the_batch(scores: Tensor) -> Tensor:
    return (scores - scores.mean()) / (scores.std() + 1e-4)


def pulled_by_the_reward(logits: Tensor, reference: Tensor) -> Tensor:
    """The expected gradient of the penalty: the divergence is a number that ∇ln π is weighed with."""
    return logits.softmax(0) @ gradients(logits, reference, "k1", "reward")


def pulled_by_k3_in_the_loss(logits: Tensor, reference: Tensor) -> Tensor:
    return logits.softmax(0) @ gradients(logits, reference, "k3", "loss")


def of_the_whole_answer(logprobs: Tensor, real: Tensor) -> Tensor:
    """ln π of an answer from those of its tokens.  (B, R), (B, R) -> (B,)"""
    return logprobs.sum(dim=1)


def of_the_mean_token(logprobs: Tensor, real: Tensor) -> Tensor:
    return logprobs.mean(dim=1)


PARTS: Parts = {
    "read": read_where_it_ends,
    "compare": group_advantages,
    "pull": pulled_by_the_reward,
    "whole": of_the_whole_answer,
}

# The tests.


def asked(seed: int) -> tuple[Tensor, Tensor]:
    """Sums and written answers, some of them with marks.  -> (B, P), (B, R)"""
    generator = torch.Generator().manual_seed(seed)
    drawn = sums.draw_sums(ANSWERS, generator, held_out=True)
    marks = torch.randint(0, sums.MOST_MARKS + 1, (ANSWERS,), generator=generator)
    return drawn.tokens, sums.written(drawn.left + drawn.right, marks)


@torch.no_grad()
def more_padding(parts: Parts, seed: int) -> Reading:
    """The same answers, two columns of padding more: the largest change of a score."""
    model, (prompts, responses) = load_reward_model("shallow"), asked(seed)
    more = torch.full((ANSWERS, WIDER), sums.PAD)
    scores = [
        parts["read"](model, prompts, wide)
        for wide in (responses, torch.cat([responses, more], dim=1))
    ]
    return equal(float((scores[0] - scores[1]).abs().max()), 1e-4)


def groups_balance(parts: Parts, seed: int) -> Reading:
    """Easy and hard questions: how far the advantages of any one question are from summing to zero."""
    generator = torch.Generator().manual_seed(seed)
    chance = torch.linspace(0.1, 0.9, QUESTIONS)[:, None].expand(-1, GROUP)
    scores = torch.bernoulli(chance, generator=generator)
    return equal(float(parts["compare"](scores).mean(dim=1).abs().max()), 1e-4)


def way_of_the_pull(parts: Parts, seed: int) -> Reading:
    """1 − the cosine with the exact gradient of KL(π ‖ reference), at every logit."""
    logits, reference = two_policies(DISTANCE, seed)
    at = logits.clone().requires_grad_(True)
    (true,) = torch.autograd.grad(exact_kl(at, reference), at)
    return equal(1 - cosine(parts["pull"](logits, reference), true), 1e-6)


@torch.no_grad()
def token_by_token(parts: Parts, seed: int) -> Reading:
    """ln π of an answer against the chances of its tokens, asked one after the other and multiplied."""
    policy, (prompts, responses) = load_policy().eval(), asked(seed)
    logprobs, real = token_logprobs(policy, prompts, responses, sums.PAD)
    whole = parts["whole"](logprobs, real)
    products = torch.ones(ANSWERS, dtype=torch.float64)
    for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        text = prompt.tolist()
        for token in response[response != sums.PAD].tolist():
            chances = policy(torch.tensor([text])).logits[0, -1].double().softmax(0)
            products[row] *= chances[token]
            text.append(token)
    return equal(float((whole.double() - products.log()).abs().max()), 1e-3)


WARD = Ward(
    "rewards", "alignment", PARTS,
    (
        Test("more_padding", "equality", more_padding),
        Test("groups", "equality", groups_balance),
        Test("pull", "equality", way_of_the_pull),
        Test("chain", "equality", token_by_token),
    ),
    (
        Bug("reward_at_padding", "read", read_at_the_last_column,
            ("EleutherAI/gpt-neox#1285", "hiyouga/LlamaFactory#689"), "reward", "more_padding",
            shown=RewardModel.forward),
        Bug("whole_batch_advantage", "compare", compared_in_the_batch,
            ("THUDM/slime#1414", "XU-YIJIE/grpo-flat#2"), "rlhf", "groups"),
        Bug("k3_in_the_loss", "pull", pulled_by_k3_in_the_loss,
            ("OpenRLHF/OpenRLHF#1309", "huggingface/trl#6503"), "rlhf", "pull",
            shown=kl_estimate),
        Bug("mean_logprob", "whole", of_the_mean_token,
            ("jingyaogong/minimind#298", "huggingface/trl#789"), "dpo", "chain"),
    ),
)  # fmt: skip
