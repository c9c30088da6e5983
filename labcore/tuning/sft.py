"""Instruction tuning: a model that only goes on with stories learns to answer questions about them.

The bundled story teller reads a story and a question in a chat template, and the loss asks for the answer.
What it learns is measured where the right answer is known, on instructions it was never trained on; what it
forgets is measured where the lowest possible loss is known, on stories it was never trained on.

Axes: N instructions asked, M looks, Q tasks.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import count, islice

import numpy as np
import safetensors.torch
import torch

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.text.stories import LANGUAGES
from labcore.text.world import micro_world
from labcore.training.checkpoints import saved_here
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, causal_batch, held_out_loss
from labcore.tuning.chat import chat_batch, labels
from labcore.tuning.world_assistant import (
    TEMPLATES,
    answers,
    assistant_tokenizer,
    rendered,
    untrained,
)
from labcore.tuning.world_instructions import TASKS, Asked, instructions

TAUGHT = {"both": LANGUAGES, "en": ("en",), "zh": ("zh",)}
LIMITS = {"replay": (0.0, 0.5), "learning_rate": (1e-5, 1e-2), "steps": (20, 1000)}
BATCH_ROWS = 16
EXAM_ROWS = 160  # ten of each task and language
OLD_STORIES, STORY_POOL = 60, 1000
LOOK_STEPS = 25
SAMPLES = 16  # one of each task and language


@lab_config
class SFTConfig:
    taught: str = "both"  # language of the instructions: "both", "en" or "zh"
    mask_prompt: bool = True  # the loss asks for the answer alone
    train_end: bool = True  # the loss asks for the end of the answer
    replay: float = 0.0  # share of the steps that read stories, as in pre-training
    template: str = "chat"  # the template that is trained with
    asked_with: str = "chat"  # the template that questions are asked in afterwards
    learning_rate: float = 1e-3
    steps: int = 200
    seed: int = 0

    def __post_init__(self):
        if self.taught not in TAUGHT:
            raise LabInputError("taught", self.taught, "known_choice", allowed=tuple(TAUGHT))
        for name in ("template", "asked_with"):
            if getattr(self, name) not in TEMPLATES:
                allowed = tuple(TEMPLATES)
                raise LabInputError(name, getattr(self, name), "known_choice", allowed=allowed)
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """After `step` updates, on held-out instructions and held-out stories."""

    step: int
    share: float  # of the run done
    loss: float  # nats per token asked for, mean since the last look; NaN at step 0
    right: float  # share of answers that begin with the right one
    stopped: float  # share of answers that end
    task_right: np.ndarray  # (Q,) the same as `right`, task by task
    language_right: np.ndarray  # (2,) English, Chinese
    story_nats: float  # per token of the held-out stories


@dataclass(frozen=True, slots=True)
class Shown:
    """One held-out instruction with the answers before and after."""

    task: str
    language: str
    user: str
    wanted: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, eq=False)
class SFTResult:
    looks: list[Look]  # (M,)
    floor_nats: float  # the lowest possible loss on the held-out stories
    shown: list[Shown]
    tokens_asked: float  # per instruction, mean: what the loss is a mean over
    seconds: float
    weights: bytes  # the tuned model, see `tuned`


def run(config: SFTConfig) -> SFTResult:
    return drain(tune(config))


def tune(config: SFTConfig) -> Generator[Look, None, SFTResult]:
    """Train on instructions, and look at what the loss does not say."""
    started = time.perf_counter()
    model, exam = untrained(), Exam(config)
    looks, recent, asked_tokens = [exam.look(model, 0, 0.0, float("nan"))], [], []
    before = exam.said
    yield looks[0]
    training = TrainConfig(
        steps=config.steps, batch_size=BATCH_ROWS, learning_rate=config.learning_rate,
        warmup_steps=10, weight_decay=0.0, eval_every=0,
    )  # fmt: skip
    for step in train(model, batches(config, asked_tokens), training):
        recent.append(step.loss_nats)
        if step.step % LOOK_STEPS == 0 or step.step == config.steps or step.diverged:
            mean = float(np.mean(recent))
            looks.append(exam.look(model, step.step, step.share, mean))
            recent = []
            yield looks[-1]
    shown = [
        Shown(one.task, one.language, said_to(one), one.row.output, old, new)
        for one, old, new in zip(exam.asked[:SAMPLES], before, exam.said, strict=False)
    ]
    seconds = time.perf_counter() - started
    each = float(np.mean(asked_tokens))
    return SFTResult(looks, exam.floor_nats, shown, each, seconds, kept(model))


def batches(config: SFTConfig, asked_tokens: list[float]) -> Iterator[Batch]:
    """Instructions without end; every so often a batch of stories, as in pre-training.

    subtle: replay takes whole steps. In a batch of both, one mean over all tokens would be a mean over
    the stories, for they ask for ten times as many tokens as the answers.
    """
    generator = torch.Generator().manual_seed(config.seed)
    rows, pad_id = (
        instructions(TAUGHT[config.taught], generator),
        assistant_tokenizer().pad_id,
    )
    old = micro_world().dataset(STORY_POOL, config.seed + 1) if config.replay else []
    for step in count(1):
        # Rounded, for ten times 0.1 is less than 1.
        if int(round(step * config.replay, 6)) > int(round((step - 1) * config.replay, 6)):
            drawn = torch.randint(len(old), (BATCH_ROWS,), generator=generator).tolist()
            yield causal_batch([old[at] for at in drawn], pad_id)
            continue
        said = [
            rendered(one.row, one.language, config.template) for one in islice(rows, BATCH_ROWS)
        ]
        asked = [labels(one, config.mask_prompt, config.train_end) for one in said]
        batch = chat_batch([one.ids for one in said], asked, pad_id)
        asked_tokens.append(batch.num_targets / BATCH_ROWS)
        yield batch


class Exam:
    """What is asked at every look: the same held-out instructions and the same held-out stories."""

    def __init__(self, config: SFTConfig):
        generator = torch.Generator().manual_seed(1)
        self.asked = list(islice(instructions(LANGUAGES, generator, "held_out"), EXAM_ROWS))
        self.prompts = [
            rendered(one.row, one.language, config.asked_with).prompt for one in self.asked
        ]
        self.said: list[str] = []  # at the last look
        self.stories, self.floor_nats = old_stories()

    def look(self, model: Transformer, step: int, share: float, loss: float) -> Look:
        given, tokenizer = answers(model, self.prompts), assistant_tokenizer()
        self.said = [tokenizer.decode(ids) for ids in given]
        right = np.array(
            [is_right(one, said) for one, said in zip(self.asked, self.said, strict=True)]
        )
        stopped = np.array([ids[-1] == tokenizer.eos_id for ids in given])
        task, language = (
            np.array([getattr(a, n) for a in self.asked]) for n in ("task", "language")
        )
        return Look(
            step=step, share=share, loss=loss,
            right=float(right.mean()), stopped=float(stopped.mean()),
            task_right=np.array([right[task == name].mean() for name in TASKS]),
            language_right=np.array([right[language == name].mean() for name in LANGUAGES]),
            story_nats=held_out_loss(model, self.stories),
        )  # fmt: skip


def is_right(asked: Asked, said: str) -> bool:
    """Whether an answer begins with the right one; what is said beyond it, `stopped` tells."""
    return said.strip().startswith(asked.row.output)


def said_to(asked: Asked) -> str:
    """Story and question as the model reads them."""
    conversation = rendered(asked.row, asked.language)
    return assistant_tokenizer().decode(conversation.prompt)


@cache
def old_stories() -> tuple[list[Batch], float]:
    """Held-out stories of the pre-training text, and the lowest possible loss on them in nats."""
    rows = micro_world().dataset(OLD_STORIES, seed=5, split="held_out")
    pad_id = assistant_tokenizer().pad_id
    cut = [causal_batch(rows[at : at + 20], pad_id) for at in range(0, OLD_STORIES, 20)]
    return cut, micro_world().causal_floor(rows).nats_per_token


def kept(model: Transformer) -> bytes:
    """The weights in 16 bits: two megabytes that a page can keep."""
    return safetensors.torch.save({name: w.half() for name, w in model.state_dict().items()})


def without_weights(result: SFTResult) -> SFTResult:
    """What is kept of a run for good: two megabytes less."""
    return replace(result, weights=b"")


def tuned(weights: bytes) -> Transformer:
    """The model that `kept` kept; without weights, the one that nobody has tuned."""
    model = untrained()
    if weights:
        with saved_here("weights"):
            loaded = safetensors.torch.load(weights)
            model.load_state_dict({name: weight.float() for name, weight in loaded.items()})
    return model.requires_grad_(False).eval()
