"""The story teller with two more tokens: what it keeps, what it reads, how it answers."""

import pytest
import torch

from labcore import zoo
from labcore.model.generation import SamplingConfig, generate
from labcore.tuning.chat import ANSWER, END
from labcore.tuning.instructions import Instruction
from labcore.tuning.world_assistant import (
    ANSWER_TURN,
    USER_TURN,
    answers,
    assistant_tokenizer,
    rendered,
    unknown,
    untrained,
)

ROW = Instruction("What colour is the hat?", "Lily had a red hat.", "It is red.")


@torch.no_grad()
def test_two_more_tokens_change_nothing_of_what_was_said_before():
    base, grown = zoo.load("world-decoder").model, untrained()
    tokens = torch.arange(300, 320)[None]
    torch.testing.assert_close(
        grown(tokens).logits[..., : base.config.vocab_size], base(tokens).logits
    )
    assert grown.config.vocab_size == base.config.vocab_size + 2


def test_training_a_copy_leaves_the_bundled_model_alone():
    before = zoo.load("world-decoder").model.state_dict()["token_embedding.weight"].clone()
    with torch.no_grad():
        untrained().token_embedding.weight.zero_()
    assert torch.equal(zoo.load("world-decoder").model.token_embedding.weight, before)


def test_a_row_is_story_question_answer_and_end():
    tokenizer = assistant_tokenizer()
    said = rendered(ROW, "en")
    assert tokenizer.decode(said.ids) == "Lily had a red hat. What colour is the hat?It is red."
    labels = [tokenizer.label(token) for token in said.ids]
    assert labels[:3] == ["<|bos|>", "<|en|>", USER_TURN]
    assert labels[said.roles.index(ANSWER) - 1] == ANSWER_TURN
    assert (labels[-1], said.roles[-1]) == ("<|eos|>", END)
    words = rendered(ROW, "en", "words")
    assert tokenizer.decode(words.prompt) == "Q: Lily had a red hat. What colour is the hat? A: "


def test_many_at_once_answer_as_one_by_one():
    """Prompts of unequal length, padded on the left; against plain greedy generation."""
    model, tokenizer = untrained().requires_grad_(False).eval(), assistant_tokenizer()
    texts = (
        "A hat.",
        "Lily had a red hat. What colour is the hat?",
        "There were four white cows in the park.",
    )
    prompts = [rendered(Instruction(text, "", ""), "en").prompt[:-1] for text in texts]
    together = answers(model, prompts, most_tokens=6)
    sampling = SamplingConfig(temperature=0, max_new_tokens=6)
    for prompt, said in zip(prompts, together, strict=True):
        alone = [w.token for w in generate(model, prompt, sampling, {tokenizer.eos_id})]
        assert said == alone


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("Lily had a red hat.", []),
        ("The capital of France?", ["capital", "france"]),
        ("莉莉有一顶红色帽子。", []),
        ("法国的首都？", ["法", "国", "首"]),
    ],
)
def test_words_that_the_model_never_met_are_named(text, strange):
    assert set(strange) <= set(unknown(text))
    assert bool(unknown(text)) is bool(strange)
