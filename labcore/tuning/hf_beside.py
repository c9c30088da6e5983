"""The same batch through our code and through the ecosystem's: tokens, labels, loss, gradients of LoRA.

Axes: B rows, T position, M matrices with a LoRA companion.
"""

import json
import tempfile
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.published import LLAMA_LAYER, from_hf
from labcore.text.masking import IGNORE, collate
from labcore.training.objectives import Batch, mean_token_loss
from labcore.tuning import hf_models, instructions, lora
from labcore.tuning.chat import published_chat
from labcore.tuning.hf_run import RANKS, TRAINERS, rows_json
from labcore.tuning.instructions import Instruction
from labcore.zoo.published_tokenizer import PublishedTokenizer

ROWS = 4
INNER = 0.02  # spread of the random B's: at zero, A would have no gradient to compare


@lab_config
class BesideConfig:
    model: str = hf_models.REAL
    trainer: str = "trl"
    rank: int = 8
    seed: int = 0

    def __post_init__(self):
        allowed = {"model": hf_models.MODELS, "trainer": TRAINERS, "rank": RANKS}
        for name, known in allowed.items():
            if getattr(self, name) not in known:
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=known)


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class BesideResult:
    tokens: list[str]  # (T,) of the first row
    our_labels: np.ndarray  # (T,) bool, asked for by us
    their_labels: np.ndarray  # (T,) bool, asked for by them
    same_ids: bool  # of all rows
    our_loss: float
    their_loss: float
    names: list[str]  # (M,)
    apart: np.ndarray  # (M, 2) gradients of A and of B: largest difference over largest number
    our_seconds: float  # forward and backward
    their_seconds: float


def run(config: BesideConfig) -> BesideResult:
    return drain(compare(config))


def our_batch(rows: Sequence[Instruction], tokenizer: PublishedTokenizer) -> Batch:
    """Everything is read; what comes after the prompt is asked for, one place earlier.  -> (B, T - 1)

    Unlike `chat.labels` this asks for the line break after the answer's end as well, as TRL does.
    """
    ids, labels = [], []
    for row in rows:
        chat = published_chat(row, tokenizer)
        asked = len(chat.prompt)
        ids.append(chat.ids)
        labels.append([IGNORE] * asked + list(chat.ids[asked:]))
    tokens, real = collate(ids, tokenizer.pad_id)  # (B, T)
    targets, _ = collate(labels, IGNORE)
    return Batch(tokens[:, :-1], targets[:, 1:], padding_mask=real[:, :-1])


def our_loss(model: nn.Module, batch: Batch) -> Tensor:
    """Nats per token of the answers, over the whole batch.  -> ()"""
    loss, _ = mean_token_loss(model, batch)
    return loss


def lora_gradients(model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Gradients of A (r, I) and B (O, r) by the name of their matrix, under its published name."""
    published = {ours: theirs for theirs, ours in LLAMA_LAYER.items()}
    found = {}
    for name, companion in lora.corrections(model).items():
        _, _, layer, part = name.split(".", 3)
        found[f"model.layers.{layer}.{published[part]}"] = (companion.a.grad, companion.b.grad)
    return found


def compare(config: BesideConfig) -> Generator[Stage, None, BesideResult]:
    """Both codes on the same weights, rows and LoRA matrices."""
    with tempfile.TemporaryDirectory(prefix="llm-lab-hf-") as name:
        yield Stage("loading", 0.0)
        folder = hf_models.folder_of(config.model, Path(name))
        rows = instructions.load("en")[:ROWS]
        trainer = their_trainer(config, folder, rows, Path(name))
        theirs = trainer.model.train()
        sources = {n: p for n, p in theirs.named_parameters() if p.requires_grad}
        generator = torch.Generator().manual_seed(config.seed)
        with torch.no_grad():
            for weight in (w for n, w in sources.items() if "lora_B" in n):
                weight.copy_(torch.randn(weight.shape, generator=generator) * INNER)
        yield Stage("theirs", 0.4)
        batch = trainer.data_collator([trainer.train_dataset[i] for i in range(ROWS)])
        started = time.process_time()
        their_loss = trainer.compute_loss(theirs, batch)
        their_loss.backward()
        their_seconds = time.process_time() - started
        yield Stage("ours", 0.7)
        model = our_model(folder, config, sources)
        tokenizer = PublishedTokenizer.from_folder(folder)
        asked = our_batch(rows, tokenizer)
        started = time.process_time()
        loss = our_loss(model, asked)
        loss.backward()
        our_seconds = time.process_time() - started
    ours = lora_gradients(model)
    apart = [
        [gap(mine, sources[peft_name(name, side)].grad) for side, mine in zip("AB", pair, strict=True)]
        for name, pair in ours.items()
    ]  # fmt: skip
    length = int(batch["attention_mask"][0].sum())
    row = batch["input_ids"][0, :length].tolist()
    return BesideResult(
        [tokenizer.label(token) for token in row],
        np.array([False, *(asked.targets[0, : length - 1] != IGNORE).tolist()]),
        (batch["labels"][0, :length] != IGNORE).numpy(),
        torch.equal(batch["input_ids"][:, :-1], asked.tokens), float(loss.detach()),
        float(their_loss.detach()), list(ours), np.array(apart), our_seconds, their_seconds,
    )  # fmt: skip


def our_model(folder: Path, config: BesideConfig, sources: dict[str, Tensor]) -> nn.Module:
    """labcore's Transformer with labcore's LoRA, its matrices copied from PEFT's."""
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    model = from_hf(settings, weights)
    lora.attach(
        model, lora.LoRAConfig(rank=config.rank, alpha=2.0 * config.rank), torch.Generator()
    )
    published = {ours: theirs for theirs, ours in LLAMA_LAYER.items()}
    for name, companion in lora.corrections(model).items():
        _, _, layer, part = name.split(".", 3)
        theirs = f"model.layers.{layer}.{published[part]}"
        with torch.no_grad():
            companion.a.copy_(sources[peft_name(theirs, "A")])
            companion.b.copy_(sources[peft_name(theirs, "B")])
    return model.train()


def their_trainer(config: BesideConfig, folder: Path, rows: Sequence[Instruction], out: Path):
    """The trainer that the script would make, with these rows to train on."""
    import huggingface_hub
    from datasets import Dataset, DatasetDict
    from transformers import AutoTokenizer

    from labcore.tuning import hf_sft

    # TRL tells its hub which trainer is made; nothing of what a learner does here leaves the machine.
    huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY = True
    args = hf_sft.read_args(
        ["--model", str(folder), "--out", str(out / "tuned"), "--trainer", config.trainer,
         "--lora-rank", str(config.rank), "--steps", "1", "--seed", str(config.seed)]
    )  # fmt: skip
    chats = Dataset.from_list([hf_sft.to_chat(row) for row in json.loads(rows_json(tuple(rows)))])
    data = DatasetDict(train=chats, test=chats)
    return hf_sft.make_trainer(
        args, hf_sft.load_model(args), AutoTokenizer.from_pretrained(folder), data
    )


def peft_name(matrix: str, side: str) -> str:
    return f"base_model.model.{matrix}.lora_{side}.default.weight"


def gap(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-30))
