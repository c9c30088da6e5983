"""Templates, labels and packing: against transformers, against separate rows, and by hand."""

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from labcore import zoo
from labcore.errors import LabInputError
from labcore.model.published import from_hf
from labcore.text.masking import IGNORE
from labcore.training.objectives import mean_token_loss, token_losses
from labcore.tuning import instructions
from labcore.tuning.chat import (
    ANSWER,
    END,
    TEMPLATE,
    USER,
    chat_batch,
    labels,
    packed_batch,
    padding_masked,
    published_chat,
    written,
)
from labcore.tuning.instructions import Instruction
from labcore.zoo.cache import cache_root

SMOLLM2 = "smollm2-135m-instruct"
ONE = written((TEMPLATE, [9, 8]), (USER, [1, 2, 3]), (TEMPLATE, [7]), (ANSWER, [4, 5]), (END, [6]))
OTHER = written((TEMPLATE, [9, 8]), (USER, [3]), (TEMPLATE, [7]), (ANSWER, [2, 2, 1]), (END, [6]))


@pytest.fixture(scope="module")
def tokenizer():
    return zoo.load(SMOLLM2).tokenizer


@pytest.fixture(scope="module")
def llama():
    """A small random model, by transformers and by us."""
    config = LlamaConfig(
        vocab_size=10, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
    )  # fmt: skip
    torch.set_default_dtype(torch.float32)
    theirs = LlamaForCausalLM(config).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in theirs.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    return theirs, from_hf(config.to_dict(), theirs.state_dict()).eval()


def test_the_answer_is_asked_for_from_its_first_token_to_its_end():
    assert labels(ONE) == [IGNORE] * 6 + [4, 5, 6]
    assert labels(ONE, train_end=False) == [IGNORE] * 6 + [4, 5, IGNORE]
    assert labels(ONE, mask_prompt=False) == [IGNORE, 8, 1, 2, 3, 7, 4, 5, 6]
    assert ONE.prompt == (9, 8, 1, 2, 3, 7)


def test_the_templates_last_token_is_asked_for_the_answers_first():
    """Position 5 holds the template's 7; what it should say next is 4. An off-by-one moves this."""
    batch = chat_batch([ONE.ids], [labels(ONE)], pad_id=0)
    assert batch.tokens[0].tolist() == [9, 8, 1, 2, 3, 7, 4, 5]
    assert batch.targets[0].tolist() == [IGNORE] * 5 + [4, 5, 6]


@pytest.mark.parametrize("language", instructions.BUNDLED)
def test_a_conversation_is_what_transformers_own_template_makes_of_it(tokenizer, language):
    """All rows of the written set, against `apply_chat_template`."""
    theirs = AutoTokenizer.from_pretrained(cache_root() / "models" / SMOLLM2)
    for row in instructions.load(language):
        turns = [
            {"role": "user", "content": row.user},
            {"role": "assistant", "content": row.output},
        ]
        said = published_chat(row, tokenizer)
        assert list(said.ids) == theirs.apply_chat_template(turns, return_dict=False)
        asking = theirs.apply_chat_template(
            turns[:1], add_generation_prompt=True, return_dict=False
        )
        assert list(said.prompt) == asking


def test_roles_of_a_published_conversation(tokenizer):
    said = published_chat(Instruction("Hi", "", "Hello there"), tokenizer)
    told = {
        role: tokenizer.decode([t for t, r in zip(said.ids, said.roles, strict=True) if r == role])
        for role in (USER, ANSWER)
    }
    assert told == {USER: "Hi", ANSWER: "Hello there"}
    assert [t for t, r in zip(said.ids, said.roles, strict=True) if r == END] == [tokenizer.eos_id]


def test_a_collator_that_masks_padding_masks_smollm2s_end():
    """SmolLM2 pads with <|im_end|>: masking all padding is then the same as leaving out the end."""
    tokenizer = zoo.load(SMOLLM2).tokenizer
    assert tokenizer.pad_id == tokenizer.eos_id
    said = published_chat(Instruction("Hi", "", "Hello"), tokenizer)
    assert padding_masked(said.ids, labels(said), tokenizer.pad_id) == labels(said, train_end=False)
    assert padding_masked(said.ids, labels(said), pad_id=0) == labels(said)


def test_a_tokenizer_without_a_template_is_refused():
    with pytest.raises(LabInputError) as refused:
        published_chat(Instruction("Hi", "", "Hello"), zoo.load("minilm-l6").tokenizer)
    assert refused.value.rule == "no_chat_template"


@pytest.mark.parametrize("mask_prompt", [True, False])
@pytest.mark.parametrize("train_end", [True, False])
def test_the_loss_is_transformers_own(llama, mask_prompt, train_end):
    """Same weights, same labels with -100: one mean over the tokens asked for."""
    theirs, ours = llama
    asked = [labels(one, mask_prompt, train_end) for one in (ONE, OTHER)]
    batch = chat_batch([ONE.ids, OTHER.ids], asked, pad_id=0)
    longest = max(len(ONE.ids), len(OTHER.ids))
    tokens, wanted, real = (
        torch.tensor([[*row, *[fill] * (longest - len(row))] for row in rows])
        for rows, fill in (
            ((ONE.ids, OTHER.ids), 0),
            (asked, -100),
            ([[1] * len(one.ids) for one in (ONE, OTHER)], 0),
        )
    )
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=real, labels=wanted).loss
        loss, _ = mean_token_loss(ours, batch)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("apart", "same"), [(True, True), (False, False)])
def test_packed_conversations_cost_what_they_cost_alone(llama, apart, same):
    """Sum of the losses of both rows; without the mask between them it is another sum."""
    _, ours = llama
    said = (ONE, OTHER)
    ids, asked = [one.ids for one in said], [labels(one) for one in said]
    with torch.no_grad():
        alone = sum(
            float(token_losses(ours, chat_batch([one], [it], 0))[0].sum())
            for one, it in zip(ids, asked, strict=True)
        )
        packed = packed_batch(ids, asked, size=20, pad_id=0, apart=apart)
        together = float(token_losses(ours, packed)[0].sum())
    assert packed.tokens.shape == (1, 20)
    assert packed.num_targets == 3 + 4
    assert (together == pytest.approx(alone, rel=1e-5)) is same


def test_nobody_is_asked_for_the_next_conversations_first_token():
    ids, asked = [ONE.ids, OTHER.ids], [labels(one, mask_prompt=False) for one in (ONE, OTHER)]
    packed = packed_batch(ids, asked, size=20, pad_id=0)
    ends = (packed.documents[0, 1:] != packed.documents[0, :-1]).nonzero().flatten()
    assert (packed.targets[0, ends] == IGNORE).all()
