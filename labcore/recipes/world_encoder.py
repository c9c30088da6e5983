"""world-encoder: fills in hidden words of the micro-world's passages, looking both ways.

It reads one or two sentences at a time and not whole stories: there, a model of this size was still at
twice the floor after four thousand steps (LOG.md). Hidden are 30 % of the tokens, twice BERT's share,
for more to learn from per passage (arXiv:2202.08005).

python -m labcore.recipes.world_encoder
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.recipes.recipe import Recipe, folder_asked_for, make
from labcore.text.bpe import BPETokenizer
from labcore.text.world import dataset_hash, micro_world, stories
from labcore.training.checkpoints import Sample
from labcore.training.loop import TrainConfig
from labcore.training.objectives import IGNORE, Batch, masked_batch, shuffled

HIDDEN_SHARE = 0.3
TRAINING = TrainConfig(
    steps=12000, batch_size=64, learning_rate=3e-3, warmup_steps=100, weight_decay=0.05,
    final_share=0.02, eval_every=500, seed=2,
)  # fmt: skip
# A second round with a new schedule (warm restart, arXiv:1608.03983): the first ended at 1.15 times
# the floor.
AGAIN = replace(TRAINING, steps=11000, learning_rate=2e-3, seed=5)
TRAIN_PASSAGES, HELD_OUT_PASSAGES = 150_000, 1000


def recipe() -> Recipe:
    world = micro_world("passages")
    told = world.dataset(TRAIN_PASSAGES, seed=3)
    held_out = world.dataset(HELD_OUT_PASSAGES, seed=4, split="held_out")
    held_out_batches = list(in_batches(held_out, world.tokenizer))
    hidden = [
        set((targets != IGNORE).nonzero().flatten().tolist())
        for batch in held_out_batches
        for targets in batch.targets
    ]
    return Recipe(
        name="world-encoder",
        objective="masked",
        corpus=f"{TRAIN_PASSAGES} passages of the micro-world, Chinese and English",
        model=ModelConfig(
            kind="encoder", vocab_size=world.tokenizer.vocab_size, hidden_size=128, num_layers=4,
            num_heads=4,
        ),
        training=(TRAINING, AGAIN),
        tokenizer=world.tokenizer,
        batches=batches(told, world.tokenizer),
        data_sha256=dataset_hash(told),
        told=list(in_batches(told[:HELD_OUT_PASSAGES], world.tokenizer)),
        held_out=held_out_batches,
        floor_nats=world.masked_floor(held_out, hidden).nats_per_token,
        samples=lambda model: fillings(model, world.tokenizer),
    )  # fmt: skip


def in_batches(rows: list[list[int]], tokenizer: BPETokenizer) -> Iterator[Batch]:
    """Rows to be judged on, always with the same tokens hidden."""
    generator = torch.Generator().manual_seed(4)
    for start in range(0, len(rows), 100):
        yield masked(rows[start : start + 100], tokenizer, generator)


def masked(rows: list[list[int]], tokenizer: BPETokenizer, generator: torch.Generator) -> Batch:
    fixed = {tokenizer.special_id(name) for name in tokenizer.special_tokens}
    mask_id, pad_id = tokenizer.mask_id, tokenizer.pad_id
    return masked_batch(rows, fixed, mask_id, pad_id, HIDDEN_SHARE, generator)


def batches(told: list[list[int]], tokenizer: BPETokenizer) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(TRAINING.seed)
    for numbers in shuffled([len(ids) for ids in told], TRAINING.batch_size, generator):
        yield masked([told[number] for number in numbers], tokenizer, generator)


@torch.no_grad()
def fillings(model: Transformer, tokenizer: BPETokenizer) -> tuple[Sample, ...]:
    """Four held-out stories with hidden tokens, and the model's first guess for each."""
    world, samples = micro_world("passages"), []
    for story in stories(6, seed=5, split="held_out", corpus="passages"):
        ids = world.story_ids(story)
        batch = masked([ids], tokenizer, torch.Generator().manual_seed(5))
        guesses = model(batch.tokens).logits[0].argmax(dim=-1).tolist()
        gaps = (batch.targets[0] != IGNORE).tolist()
        shown = ["▁" if gap else tokenizer.decode([id]) for id, gap in zip(ids, gaps, strict=True)]
        filled = [tokenizer.label(guess) for guess, gap in zip(guesses, gaps, strict=True) if gap]
        samples.append(Sample("".join(shown), " | ".join(filled), story.language))
    return tuple(samples)


if __name__ == "__main__":
    make(recipe(), folder_asked_for("world-encoder"))
