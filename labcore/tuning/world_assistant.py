"""The bundled story teller with two more tokens, so that it can be taught to answer.

`<|user|>` and `<|assistant|>` are new entries of the vocabulary. Their embeddings begin as the mean of all
others, as is usual when a vocabulary is grown (Hewitt 2021, "Initializing new word embeddings").

Axes: N prompts, P prompt tokens, R response tokens.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import islice

import torch
from torch import Tensor

from labcore import zoo
from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.text.bpe import HAN, BPETokenizer
from labcore.text.stories import LANGUAGES
from labcore.text.world import stories
from labcore.tuning.chat import ANSWER, END, TEMPLATE, USER, Conversation, written
from labcore.tuning.instructions import Instruction
from labcore.tuning.world_instructions import instructions

MODEL = "world-decoder"
USER_TURN, ANSWER_TURN = "<|user|>", "<|assistant|>"
# Before the user's words and before the answer: special tokens, or the same said in words.
TEMPLATES = {"chat": (USER_TURN, ANSWER_TURN), "words": ("Q: ", " A: ")}
MOST_ANSWER_TOKENS = 16
UNIT = re.compile(
    rf"[{HAN}]|[^\W\d_{HAN}]+|\d+"
)  # a Chinese character, a word of letters, a number


@cache
def assistant_tokenizer() -> BPETokenizer:
    """The story teller's tokenizer with the two turns."""
    tokenizer = zoo.load(MODEL).tokenizer
    special = (*tokenizer.special_tokens, USER_TURN, ANSWER_TURN)
    return BPETokenizer(tokenizer.merges, special, tokenizer.pattern)


def untrained() -> Transformer:
    """A fresh copy of the story teller with two more rows in its table, to be trained."""
    base = zoo.load(MODEL).model
    weights = {name: weight.clone() for name, weight in base.state_dict().items()}
    table = weights["token_embedding.weight"]  # (V, D); tied, so it is the head as well
    new = assistant_tokenizer().vocab_size - len(table)
    weights["token_embedding.weight"] = torch.cat([table, table.mean(0, True).expand(new, -1)])
    config = replace(base.config, vocab_size=base.config.vocab_size + new)
    return Transformer(config, weights=weights).requires_grad_(True)


def rendered(row: Instruction, language: str, template: str = "chat") -> Conversation:
    """An instruction as the assistant's row of tokens. The story comes first: a model reads from the left."""
    space = " " if language == "en" and row.input else ""
    user = f"{row.input}{space}{row.instruction}"
    tokenizer = assistant_tokenizer()
    before, between = (_turn(turn) for turn in TEMPLATES[template])
    opening = [tokenizer.bos_id, tokenizer.special_id(f"<|{language}|>"), *before]
    return written(
        (TEMPLATE, opening), (USER, tokenizer.encode(user)), (TEMPLATE, between),
        (ANSWER, tokenizer.encode(row.output)), (END, [tokenizer.eos_id]),
    )  # fmt: skip


def _turn(turn: str) -> list[int]:
    special = assistant_tokenizer().special_id(turn)
    return assistant_tokenizer().encode(turn) if special is None else [special]


@torch.no_grad()
def answers(
    model: Transformer, prompts: Sequence[Sequence[int]], most_tokens: int = MOST_ANSWER_TOKENS
) -> list[list[int]]:
    """The likeliest answer to each prompt, its end token included if it came to one.

    Prompts of unequal length are padded on the left, so that all of them end together; the mask hides
    the padding, and RoPE does not mind where a text begins.
    """
    tokenizer = assistant_tokenizer()
    longest = max(map(len, prompts))
    unread = torch.full((len(prompts), longest), tokenizer.pad_id)  # (N, P)
    for row, prompt in enumerate(prompts):
        unread[row, longest - len(prompt) :] = torch.tensor(prompt)
    real, cache, columns = unread != tokenizer.pad_id, KVCache(), []
    ended = torch.zeros(len(prompts), dtype=torch.bool)
    was_training = model.training
    model.eval()
    while len(columns) < most_tokens and not ended.all():
        logits = model(unread, padding_mask=real, cache=cache).logits[:, -1]
        token = logits.argmax(dim=1).masked_fill(ended, tokenizer.pad_id)
        columns.append(token)
        ended |= token == tokenizer.eos_id
        unread, real = token[:, None], torch.ones(len(prompts), 1, dtype=torch.bool)
    model.train(was_training)
    return [_without(row, tokenizer.pad_id) for row in torch.stack(columns, dim=1)]


def _without(row: Tensor, pad_id: int) -> list[int]:
    return [token for token in row.tolist() if token != pad_id]


@cache
def known_units() -> frozenset[str]:
    """The words and characters of some stories and instructions: what the model can have met."""
    generator = torch.Generator().manual_seed(0)
    rows = islice(instructions(LANGUAGES, generator), 640)
    texts = [story.text for story in stories(1500, seed=0)]
    texts += [text for asked in rows for text in (asked.row.user, asked.row.output)]
    return frozenset(unit for text in texts for unit in units(text))


def units(text: str) -> list[str]:
    """English words in small letters, Chinese characters.

    >>> units("Lily's 帽子")
    ['lily', 's', '帽', '子']
    """
    return [unit.lower() for unit in UNIT.findall(text)]


def unknown(text: str) -> list[str]:
    """What of a learner's text the model never met, each once."""
    return [unit for unit in dict.fromkeys(units(text)) if unit not in known_units()]
