"""world-copier: has read nothing but random tokens that repeat, so copying is all that it can do.

Two layers are the fewest that can: a head of the first notes what came before, a head of the second
finds where that was the present token (Olsson et al., arXiv:2209.11895). With no language to learn,
nothing else stands in the way of seeing the two at work, on any text with a repetition in it.

python -m labcore.recipes.world_copier
"""

from collections.abc import Iterator

import torch

from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.recipes.recipe import Recipe, folder_asked_for, make
from labcore.text import repetition
from labcore.text.bpe import BPETokenizer
from labcore.text.grammar import is_special
from labcore.text.masking import IGNORE
from labcore.text.world import dataset_hash, micro_world
from labcore.training.checkpoints import Sample
from labcore.training.loop import TrainConfig
from labcore.training.objectives import Batch, causal_batch

TRAINING = TrainConfig(
    steps=3000, batch_size=32, learning_rate=3e-3, warmup_steps=100, weight_decay=0.0,
    final_share=0.05, eval_every=250, seed=4,
)  # fmt: skip
TRAIN_ROWS, HELD_OUT_ROWS = 20_000, 200
PROMPTS = (
    ("A red kite, a blue ball. A red kite, a", "en"),
    ("一只红色风筝，一个蓝色皮球。一只红色", "zh"),
)


def recipe() -> Recipe:
    tokenizer = micro_world().tokenizer
    words = vocabulary(tokenizer)
    train = told(tokenizer, words, TRAIN_ROWS, seed=4)
    held_out = told(tokenizer, words, HELD_OUT_ROWS, seed=5)
    nats = [cost for row in held_out for cost in repetition.row_nats(row[2:], len(words))]
    return Recipe(
        name="world-copier",
        objective="causal",
        corpus=f"{TRAIN_ROWS} rows of random tokens that repeat",
        model=ModelConfig(
            vocab_size=tokenizer.vocab_size, hidden_size=64, num_layers=2, num_heads=4
        ),
        training=(TRAINING,),
        tokenizer=tokenizer,
        batches=batches(train, tokenizer.pad_id),
        data_sha256=dataset_hash(train),
        told=in_batches(train[:HELD_OUT_ROWS], tokenizer.pad_id),
        held_out=in_batches(held_out, tokenizer.pad_id),
        floor_nats=sum(nats) / len(nats),
        samples=lambda model: tuple(
            copied(model, tokenizer, prompt, language) for prompt, language in PROMPTS
        ),
    )


def vocabulary(tokenizer: BPETokenizer) -> list[int]:
    """Every token that stands for text."""
    return [id for id in range(tokenizer.vocab_size) if not is_special(tokenizer.label(id))]


def told(tokenizer: BPETokenizer, words: list[int], size: int, seed: int) -> list[list[int]]:
    """Rows as the lab's models read a text: <|bos|>, a language, the tokens."""
    generator = torch.Generator().manual_seed(seed)
    tags = [tokenizer.special_id(f"<|{language}|>") for language in ("zh", "en")]
    rows = repetition.rows(words, size, generator)
    return [[tokenizer.bos_id, tags[place % 2], *row] for place, row in enumerate(rows)]


def asked(rows: list[list[int]], pad_id: int) -> Batch:
    """Next-token targets for the text alone: the language tag cannot be known."""
    batch = causal_batch(rows, pad_id)
    batch.targets[:, 0] = IGNORE
    return batch


def in_batches(rows: list[list[int]], pad_id: int) -> list[Batch]:
    return [asked(rows[at : at + 50], pad_id) for at in range(0, len(rows), 50)]


def batches(rows: list[list[int]], pad_id: int) -> Iterator[Batch]:
    """All rows in turn, again and again: they are random as they are."""
    size = TRAINING.batch_size
    while True:
        for at in range(0, len(rows), size):
            yield asked(rows[at : at + size], pad_id)


def copied(model: Transformer, tokenizer: BPETokenizer, prompt: str, language: str) -> Sample:
    """How it goes on after a repetition has begun, with its likeliest tokens."""
    opening = [tokenizer.bos_id, tokenizer.special_id(f"<|{language}|>"), *tokenizer.encode(prompt)]
    written = generate(model, opening, SamplingConfig(temperature=0, max_new_tokens=5))
    return Sample(prompt, tokenizer.decode([step.token for step in written]), language)


if __name__ == "__main__":
    make(recipe(), folder_asked_for("world-copier"))
