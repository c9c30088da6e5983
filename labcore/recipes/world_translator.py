"""world-translator: reads a passage of the micro-world in English and tells it in Chinese.

python -m labcore.recipes.world_translator
"""

from collections.abc import Iterator

import torch

from labcore.model.config import ModelConfig
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.recipes.recipe import Recipe, folder_asked_for, make
from labcore.text.world import Pair, dataset_hash, micro_world, pairs
from labcore.training.checkpoints import Sample
from labcore.training.loop import TrainConfig
from labcore.training.objectives import Batch, shuffled, translation_batch

TRAINING = TrainConfig(
    steps=5000, batch_size=48, learning_rate=3e-3, warmup_steps=200, weight_decay=0.05,
    final_share=0.02, eval_every=500, seed=3,
)  # fmt: skip
TRAIN_PAIRS, HELD_OUT_PAIRS = 60_000, 1000


def recipe() -> Recipe:
    world = micro_world()
    told = world.pair_dataset(TRAIN_PAIRS, seed=6)
    held_out = world.pair_dataset(HELD_OUT_PAIRS, seed=7, split="held_out")
    pad = world.tokenizer.pad_id
    return Recipe(
        name="world-translator",
        objective="translation",
        corpus=f"{TRAIN_PAIRS} passages of the micro-world, English to Chinese",
        model=ModelConfig(
            kind="encoder_decoder", vocab_size=world.tokenizer.vocab_size, hidden_size=96,
            num_layers=2, num_heads=4,
        ),
        training=(TRAINING,),
        tokenizer=world.tokenizer,
        batches=batches(told, pad),
        data_sha256=dataset_hash([*source, *target] for source, target in told),
        told=in_batches(told[:HELD_OUT_PAIRS], pad),
        held_out=in_batches(held_out, pad),
        floor_nats=world.translation_floor(held_out).nats_per_token,
        samples=lambda model: tuple(
            translated(model, pair) for pair in pairs(6, seed=8, split="held_out")
        ),
    )  # fmt: skip


def in_batches(told: list[tuple[list[int], list[int]]], pad_id: int) -> list[Batch]:
    return [both(told[at : at + 100], pad_id) for at in range(0, len(told), 100)]


def both(told: list[tuple[list[int], list[int]]], pad_id: int) -> Batch:
    sources, targets = zip(*told, strict=True)
    return translation_batch(sources, targets, pad_id)


def batches(told: list[tuple[list[int], list[int]]], pad_id: int) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(TRAINING.seed)
    lengths = [len(source) + len(target) for source, target in told]
    for numbers in shuffled(lengths, TRAINING.batch_size, generator):
        yield both([told[number] for number in numbers], pad_id)


def translated(model: Transformer, pair: Pair) -> Sample:
    """A held-out passage and its most likely translation, word by word."""
    world = micro_world()
    source, target = world.pair_ids(pair)
    written = generate(
        model,
        target[:2],  # <|bos|> <|zh|>
        SamplingConfig(temperature=0, max_new_tokens=60),
        stop_ids={world.tokenizer.eos_id},
        context=source,
    )
    return Sample(pair.en, world.tokenizer.decode([step.token for step in written]), "zh")


if __name__ == "__main__":
    make(recipe(), folder_asked_for("world-translator"))
