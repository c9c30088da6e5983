"""The same tuning on a real model: SmolLM2-135M-Instruct, a written set of instructions, LoRA.

The model has been tuned before, on a million conversations; sixty more teach it a manner, not knowledge: to
answer in one plain sentence. Conversations are packed into rows and kept apart there. The weights stay as
they are, all that is learnt is an adapter of a few hundred kilobytes.

Sources: Allal et al., arXiv:2502.02737 (SmolLM2); LoRA, arXiv:2106.09685.
Axes: N conversations, M looks.
"""

import copy
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import islice

import safetensors.torch
import torch

from labcore import zoo
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.events import drain
from labcore.model.generation import SamplingConfig, generate
from labcore.model.transformer import Transformer
from labcore.text.corpora import python_topics
from labcore.training.checkpoints import saved_here
from labcore.training.loop import TrainConfig, train
from labcore.training.objectives import Batch, causal_batch, held_out_loss
from labcore.tuning import instructions, lora
from labcore.tuning.chat import Conversation, labels, packed_batch, published_chat
from labcore.tuning.instructions import Instruction

MODEL = "smollm2-135m-instruct"
HELD_OUT_EVERY = 6  # every sixth row is never trained on
MOST_ROWS = 70  # of a larger set
ROW_TOKENS = 256
MOST_CHARACTERS = 600  # of a learner's own question
MOST_ANSWER_TOKENS = 40
LORA = lora.LoRAConfig(rank=2, alpha=8.0, targets=("q", "v"))
LIMITS = {"epochs": (1, 5), "learning_rate": (1e-5, 1e-2)}
SAMPLES = 6
NONE = float("nan")
TEXT_TOKENS = 256  # of ordinary text, to see what is forgotten


@lab_config
class RealConfig:
    data: str = "en"  # a bundled set, a hub's data set, or "own"
    own: bytes = b""  # the learner's file
    epochs: int = 2
    learning_rate: float = 2e-3
    mask_prompt: bool = True
    seed: int = 0

    def __post_init__(self):
        check_limits(self, LIMITS)


@dataclass(frozen=True, slots=True, eq=False)
class RealLook:
    step: int
    steps: int  # of the whole run
    share: float
    loss: float  # nats per token asked for, of the step; NaN at step 0
    held_out_nats: float  # per answer token of rows never trained on; NaN between two evaluations
    seconds_each: float  # per step so far, on this machine


@dataclass(frozen=True, slots=True)
class Answered:
    user: str
    wanted: str  # empty for a learner's own
    before: str
    after: str
    tokens: tuple[int, int]  # of the answers, `MOST_ANSWER_TOKENS` if they were cut off


@dataclass(frozen=True, slots=True, eq=False)
class RealResult:
    looks: list[RealLook]  # (M,)
    answered: list[Answered]  # held-out instructions
    trained_rows: int
    held_out_rows: int
    text_nats: tuple[float, float]  # per token of ordinary English, before and after
    adapter: bytes  # safetensors, 16 bits
    seconds: float


def run(config: RealConfig) -> RealResult:
    return drain(tune_real(config))


def tune_real(config: RealConfig) -> Generator[RealLook, None, RealResult]:
    """An adapter for the real model; held-out answers before and after."""
    started, loaded = time.perf_counter(), zoo.load(MODEL)
    train_rows, held_out = divided(fitting(rows_of(config)))
    generator = torch.Generator().manual_seed(config.seed)
    model = with_adapter(loaded.model, generator)
    said, exam = ([in_template(row) for row in rows] for rows in (train_rows, held_out))
    exam, text = [packed(exam, mask_prompt=True)], ordinary_text()
    steps = [batch for _ in range(config.epochs) for batch in epoch(said, config, generator)]
    before = [answer(model, row.user) for row in held_out[:SAMPLES]]
    text_before = held_out_loss(model, text)
    looks = [RealLook(0, len(steps), 0.0, NONE, held_out_loss(model, exam), NONE)]
    yield looks[0]
    training = TrainConfig(
        steps=len(steps), batch_size=1, learning_rate=config.learning_rate, warmup_steps=2,
        weight_decay=0.0, eval_every=max(1, len(steps) // 4),
    )  # fmt: skip
    spent = 0.0
    for step in train(model, steps, training, lambda tuned: held_out_loss(tuned, exam)):
        spent += step.seconds
        nats = NONE if step.validation_nats is None else step.validation_nats
        share, each = step.share, spent / step.step
        looks.append(RealLook(step.step, len(steps), share, step.loss_nats, nats, each))
        yield looks[-1]
    after = [answer(model, row.user) for row in held_out[:SAMPLES]]
    return RealResult(
        looks=looks,
        answered=[
            Answered(row.user, row.output, old[0], new[0], (old[1], new[1]))
            for row, old, new in zip(held_out, before, after, strict=False)
        ],
        trained_rows=len(train_rows),
        held_out_rows=len(held_out),
        text_nats=(text_before, held_out_loss(model, text)),
        adapter=adapter_of(model),
        seconds=time.perf_counter() - started,
    )


def rows_of(config: RealConfig) -> tuple[Instruction, ...]:
    if config.data == "own":
        return instructions.read(config.own)
    return instructions.load(config.data)


def fitting(rows: Sequence[Instruction]) -> list[Instruction]:
    """The first rows that go whole into one packed row: a torn conversation loses its question."""
    short = (row for row in rows if len(in_template(row).ids) <= ROW_TOKENS)
    return list(islice(short, MOST_ROWS))


def divided(rows: Sequence[Instruction]) -> tuple[list[Instruction], list[Instruction]]:
    """Rows to train on and rows to ask."""
    if len(rows) < 2 * HELD_OUT_EVERY:
        raise LabInputError("instructions", len(rows), "at_least", limit=2 * HELD_OUT_EVERY)
    asked = rows[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    return [row for row in rows if row not in asked], list(asked)


def in_template(row: Instruction) -> Conversation:
    return published_chat(row, zoo.load(MODEL).tokenizer)


def ordinary_text() -> list[Batch]:
    """Some English that is no conversation."""
    tokenizer = zoo.load(MODEL).tokenizer
    ids = tokenizer.encode(" ".join(python_topics()[:20]))[: TEXT_TOKENS + 1]
    return [causal_batch([ids], tokenizer.pad_id)]


def packed(said: Sequence[Conversation], mask_prompt: bool) -> Batch:
    """Conversations, several to a row and kept apart."""
    asked = [labels(one, mask_prompt) for one in said]
    pad_id = zoo.load(MODEL).tokenizer.pad_id
    return packed_batch([one.ids for one in said], asked, ROW_TOKENS, pad_id)


def epoch(
    said: Sequence[Conversation], config: RealConfig, generator: torch.Generator
) -> list[Batch]:
    """All conversations once, in a new order; one packed row is one step."""
    order = torch.randperm(len(said), generator=generator).tolist()
    rows = packed([said[n] for n in order], config.mask_prompt)
    batches = rows.parts(len(rows.tokens))
    return [batches[n] for n in torch.randperm(len(batches), generator=generator).tolist()]


def with_adapter(model: Transformer, generator: torch.Generator) -> Transformer:
    """The model with companions of its own; the frozen weights are shared with the original."""
    shared = {id(weight): weight for weight in model.parameters()}
    return lora.attach(copy.deepcopy(model, shared), LORA, generator)


def adapter_of(model: Transformer) -> bytes:
    learnt = {
        f"{name}.{part}": getattr(module, part).detach().half().contiguous()
        for name, module in lora.corrections(model).items()
        for part in ("a", "b")
    }
    return safetensors.torch.save(learnt)


def give_adapter(model: Transformer, adapter: bytes) -> None:
    """Put learnt companions in the place of fresh ones; the model is changed."""
    with saved_here("adapter"):
        learnt = safetensors.torch.load(adapter)
        for name, module in lora.corrections(model).items():
            for part in ("a", "b"):
                getattr(module, part).data.copy_(learnt[f"{name}.{part}"])


def answer(model: Transformer, user: str) -> tuple[str, int]:
    """The likeliest answer, and how many tokens it took, the end included."""
    tokenizer = zoo.load(MODEL).tokenizer
    sampling = SamplingConfig(temperature=0, max_new_tokens=MOST_ANSWER_TOKENS)
    training = model.training
    steps = generate(model.eval(), tokenizer.chat_ids(user), sampling, {tokenizer.eos_id})
    said = [step.token for step in steps]
    model.train(training)
    return tokenizer.decode(said).strip(), len(said)


@lab_config
class AskConfig:
    prompt: str
    adapter: bytes

    def __post_init__(self):
        if not self.prompt.strip():
            raise LabInputError("prompt", "", "not_empty")


def ask(config: AskConfig) -> Answered:
    """A learner's own question, before and after."""
    user = config.prompt[:MOST_CHARACTERS]
    fresh = with_adapter(zoo.load(MODEL).model, torch.Generator().manual_seed(0))
    before = answer(fresh, user)  # an adapter that has learnt nothing changes nothing
    give_adapter(fresh, config.adapter)
    after = answer(fresh, user)
    return Answered(user, "", before[0], after[0], (before[1], after[1]))
