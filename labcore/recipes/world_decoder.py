"""world-decoder: writes stories of the micro-world in Chinese and English, token after token.

python -m labcore.recipes.world_decoder
"""

from collections.abc import Iterator

import torch

from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.recipes.recipe import Recipe, folder_asked_for, make
from labcore.text.bpe import BPETokenizer
from labcore.text.world import dataset_hash, micro_world
from labcore.training.checkpoints import Sample
from labcore.training.loop import TrainConfig
from labcore.training.objectives import Batch, causal_batch, shuffled

TRAINING = TrainConfig(
    steps=3000, batch_size=16, learning_rate=2e-3, warmup_steps=100, weight_decay=0.05,
    final_share=0.02, eval_every=500, seed=1,
)  # fmt: skip
TRAIN_STORIES, HELD_OUT_STORIES = 40_000, 400
PROMPTS = (("", "en"), ("One day, Lily", "en"), ("", "zh"), ("有一天，小明", "zh"))


def recipe() -> Recipe:
    world = micro_world()
    stories = world.dataset(TRAIN_STORIES, seed=1)
    held_out = world.dataset(HELD_OUT_STORIES, seed=2, split="held_out")
    pad = world.tokenizer.pad_id
    return Recipe(
        name="world-decoder",
        objective="causal",
        corpus=f"{TRAIN_STORIES} stories of the micro-world, Chinese and English",
        model=ModelConfig(
            vocab_size=world.tokenizer.vocab_size, hidden_size=128, num_layers=4, num_heads=4
        ),
        training=(TRAINING,),
        tokenizer=world.tokenizer,
        batches=batches(stories, pad),
        data_sha256=dataset_hash(stories),
        told=in_batches(stories[:HELD_OUT_STORIES], pad),
        held_out=in_batches(held_out, pad),
        floor_nats=world.causal_floor(held_out).nats_per_token,
        samples=lambda model: tuple(
            story(model, world.tokenizer, prompt, language) for prompt, language in PROMPTS
        ),
    )


def in_batches(stories: list[list[int]], pad_id: int) -> list[Batch]:
    return [causal_batch(stories[at : at + 40], pad_id) for at in range(0, len(stories), 40)]


def batches(stories: list[list[int]], pad_id: int) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(TRAINING.seed)
    for rows in shuffled([len(ids) for ids in stories], TRAINING.batch_size, generator):
        yield causal_batch([stories[row] for row in rows], pad_id)


def story(model: Transformer, tokenizer: BPETokenizer, prompt: str, language: str) -> Sample:
    """One story, drawn at temperature 1 with a fixed seed."""
    opening = [tokenizer.bos_id, tokenizer.special_id(f"<|{language}|>"), *tokenizer.encode(prompt)]
    written = generate(
        model, opening, SamplingConfig(max_new_tokens=120, seed=0), stop_ids={tokenizer.eos_id}
    )
    return Sample(prompt, tokenizer.decode([step.token for step in written]), language)


if __name__ == "__main__":
    make(recipe(), folder_asked_for("world-decoder"))
