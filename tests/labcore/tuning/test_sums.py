"""The sums, their answers, and a policy that answers them."""

import pytest
import torch

from labcore.recipes import sums_policy
from labcore.training.loop import train
from labcore.tuning import base_policy, sums
from labcore.tuning.rollouts import response_logits, sample_responses, token_logprobs


def tokens_of(text: str) -> list[int]:
    return [sums.SYMBOLS.index(symbol) for symbol in text]


def row(text: str, end: bool = True) -> torch.Tensor:
    tokens = tokens_of(text) + [sums.END] * end
    padding = [sums.PAD] * (sums.RESPONSE_TOKENS - len(tokens))
    return torch.tensor([tokens + padding])


def test_a_prompt_reads_as_a_person_would_write_it():
    asked = sums.Sums(torch.tensor([37, 90]), torch.tensor([48, 10]))
    assert [sums.text_of(tokens) for tokens in asked.tokens] == ["37+48=", "90+10="]


@pytest.mark.parametrize(
    ("answer", "end", "right"),
    [
        ("85", True, True),
        ("85!!", True, True),
        ("85!!!!!", True, True),
        ("85", False, False),  # never ends
        ("8!5", True, False),
        ("!85", True, False),
        ("085", True, False),
        ("84", True, False),
        ("", True, False),
        ("85!!!!!!", False, False),  # no room left for the end
    ],
)
def test_what_counts_as_right(answer, end, right):
    asked = sums.Sums(torch.tensor([37]), torch.tensor([48]))
    assert bool(sums.is_right(asked, row(answer, end))) is right


def test_every_sum_is_either_trained_on_or_held_out():
    """90 · 90 = 8,100 sums; the multiples of 7 from 0 to 8,099 are ⌈8,100 / 7⌉ = 1,158."""
    train_on, held_out = (sums.all_sums(held_out) for held_out in (False, True))
    assert (len(train_on), len(held_out)) == (6942, 1158)
    pairs = {
        pair for part in (train_on, held_out)
        for pair in zip(part.left.tolist(), part.right.tolist(), strict=True)
    }  # fmt: skip
    assert len(pairs) == 8100
    assert min(min(pair) for pair in pairs) == 10
    assert max(max(pair) for pair in pairs) == 99


def test_groups_stand_side_by_side():
    asked = sums.Sums(torch.tensor([11, 22]), torch.tensor([33, 44])).repeated(3)
    assert asked.left.tolist() == [11, 11, 11, 22, 22, 22]


def test_the_loss_counts_answers_alone():
    asked = sums.Sums(torch.tensor([37]), torch.tensor([48]))
    batch = base_policy.answer_batch(asked.tokens, row("85!"))
    assert batch.num_targets == 4  # 8, 5, !, end
    assert batch.targets[0, 5:9].tolist() == [*tokens_of("85!"), sums.END]


def test_sampling_with_the_cache_follows_the_distribution_of_one_pass():
    """The likeliest token at each place of a whole pass is the one that greedy sampling wrote."""
    policy = base_policy.load_policy().eval()
    asked = sums.draw_sums(16, torch.Generator().manual_seed(0))
    answers = base_policy.answer(policy, asked, torch.Generator(), temperature=0)
    said = response_logits(policy, asked.tokens, answers).argmax(dim=2)
    real = answers != sums.PAD
    assert (said == answers)[real].all()


def test_sampled_answers_are_as_frequent_as_their_probability_says():
    """One prompt, 4,000 draws: the share of an answer lies within four deviations of π(answer)."""
    policy = base_policy.load_policy().eval()
    asked = sums.Sums(torch.tensor([37]), torch.tensor([48])).repeated(4000)
    answers = base_policy.answer(policy, asked, torch.Generator().manual_seed(3))
    kinds, counts = answers.unique(dim=0, return_counts=True)
    likeliest = kinds[counts.topk(5).indices]
    with torch.no_grad():
        logprobs, _ = token_logprobs(policy, asked.tokens[:5], likeliest, sums.PAD)
    for probability, count in zip(
        logprobs.sum(dim=1).exp().tolist(), counts.topk(5).values.tolist(), strict=True
    ):
        deviation = (probability * (1 - probability) / 4000) ** 0.5
        assert abs(count / 4000 - probability) < 4 * deviation


def test_logprobs_of_padding_are_nothing_and_of_the_end_something():
    policy = base_policy.load_policy()
    asked = sums.Sums(torch.tensor([37]), torch.tensor([48]))
    logprobs, real = token_logprobs(policy, asked.tokens, row("85"), sums.PAD)
    assert real[0].tolist() == [True] * 3 + [False] * 5
    assert (logprobs[0, 3:] == 0).all()
    assert (logprobs[0, :3] < 0).all()


def test_the_bundled_policy_is_right_about_a_third_of_the_time_and_shouts_at_random():
    held_out = sums.all_sums(held_out=True)
    answers = base_policy.answer(
        base_policy.load_policy(), held_out, torch.Generator().manual_seed(1)
    )
    assert 0.25 < sums.is_right(held_out, answers).double().mean() < 0.45
    assert 0.7 < sums.count_marks(answers).double().mean() < 1.3


def test_the_recipe_begins_as_the_bundled_policy_did():
    """Five of its two hundred steps, twice: the same seed gives the same weights."""
    first, second = (list(train_some(torch.Generator().manual_seed(0), steps=5)) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def train_some(generator, steps):
    policy = sums_policy.Transformer(base_policy.CONFIG, torch.Generator().manual_seed(0))
    events = train(policy, base_policy.worked_sums(generator), base_policy.TRAINING)
    for _ in range(steps):
        next(events)
    return policy.parameters()


def test_an_answer_that_has_ended_is_padded_whatever_the_others_do():
    policy = base_policy.load_policy()
    asked = sums.draw_sums(64, torch.Generator().manual_seed(2))
    answers = sample_responses(
        policy, asked.tokens, 8, sums.END, sums.PAD, torch.Generator().manual_seed(0)
    )
    for tokens in answers.tolist():
        if sums.END in tokens:
            after = tokens[tokens.index(sums.END) + 1 :]
            assert set(after) <= {sums.PAD}
