"""The loop around a model that calls: it writes a call, we carry it out, it reads the result and goes on.

A question such as 47*38+129= takes two calls, the second of which needs the first one's result:

    47*38+129=(47*38)>1786(1786+129)>1915.1915·
    47*38+129=(47*38)>E(47*38)>1786…          a tool that failed (E): call again
    47*38+129=(47*38)>X?·                     a tool that is not allowed (X): say that one cannot

The model, bundled and made by `python -m labcore.recipes.tool_caller`, has seen failures and refusals, and
never a wrong result: whatever a tool says, it believes. The loop decides how often it may call, notices
when it goes round in a circle, and carries out only what is allowed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from labcore import shipped
from labcore.configs import lab_config
from labcore.errors import LabInputError, check_limits
from labcore.frontier.calculator import calculate
from labcore.model.cache import KVCache
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.text.masking import IGNORE
from labcore.training.objectives import Batch

SYMBOLS = "0123456789+*=(>).EX?·"
PAD = SYMBOLS.index("·")
LONGEST = 96  # tokens
MOST_OF_A_STEP = 20
ASSET = Path(__file__).resolve().parents[2] / "assets" / "tools" / "caller.safetensors"
CONFIG = ModelConfig(vocab_size=len(SYMBOLS), hidden_size=64, num_layers=2, num_heads=4)
SIGNS = ("*", "+")
ENDS = ("answered", "declined", "circle", "limit", "unreadable")


@lab_config
class LoopConfig:
    first: int = 47
    second: int = 38
    third: int = 129
    failing: float = 0.0  # chance that a tool fails
    wrong: float = 0.0  # chance that a tool gives a result that is 10 too large
    most_calls: int = 6
    patience: int = 3  # the same call so often in a row is a circle
    allow_product: bool = True
    seed: int = 0

    def __post_init__(self):
        check_limits(
            self,
            {"first": (10, 99), "second": (10, 99), "third": (10, 999), "failing": (0, 1), "wrong": (0, 1),
             "most_calls": (1, 12), "patience": (2, 12), "seed": (0, 2**31)},
        )  # fmt: skip

    @property
    def question(self) -> str:
        return f"{self.first}*{self.second}+{self.third}="


@dataclass(frozen=True, slots=True)
class Step:
    """One round: what the model wrote, and what came back."""

    wrote: str  # "(47*38)" or the answer
    kind: str  # "call" or "answer"
    result: str = ""  # "E": failed, "X": refused
    fault: str = ""  # "failed", "wrong" or "refused": what was done to the call


@dataclass(frozen=True, slots=True)
class Trace:
    question: str
    steps: list[Step]
    end: str  # one of ENDS
    answer: str
    right: bool


@lru_cache(maxsize=1)
def load_caller() -> Transformer:
    """Shared: read it, never train it."""
    weights = {name: half.float() for name, half in shipped.tensors(ASSET).items()}
    return Transformer(CONFIG, weights=weights).requires_grad_(False).eval()


def run(config: LoopConfig) -> Trace:
    return loop(load_caller(), config)


def loop(model: Transformer, config: LoopConfig) -> Trace:
    """Write, carry out, read on, until there is an answer or a reason to stop."""
    rng = np.random.default_rng(config.seed)
    cache, unread, steps = KVCache(), config.question, []
    truth = str(calculate(config.question[:-1]))

    def ended(end: str, answer: str = "") -> Trace:
        return Trace(config.question, steps, end, answer, answer == truth)

    while True:
        wrote = write_on(model, cache, unread)
        if not wrote.endswith(">"):
            answer = wrote.rstrip(".")
            steps.append(Step(wrote, "answer"))
            if answer == "?":
                return ended("declined")
            return ended("answered", answer) if answer.isdigit() else ended("unreadable")
        if len(steps) == config.most_calls:  # all of them calls
            return ended("limit")
        call = wrote[:-1]
        try:
            result, fault = carry_out(call, config, rng)
        except LabInputError:
            steps.append(Step(call, "call"))
            return ended("unreadable")
        steps.append(Step(call, "call", result, fault))
        last = [step.wrote for step in steps[-config.patience :]]
        if len(last) == config.patience and len(set(last)) == 1:
            return ended("circle")
        unread = result + ("." if done(call) and result.isdigit() else "")


def done(call: str) -> bool:
    """Whether this was the last call that the question needs: the sum."""
    return "+" in call


@torch.no_grad()
def write_on(model: Transformer, cache: KVCache, unread: str) -> str:
    """Read what came back, then write the likeliest tokens up to a ">" (a call) or a "·" (the end)."""
    tokens, text = torch.tensor([[SYMBOLS.index(c) for c in unread]]), ""
    while len(text) < MOST_OF_A_STEP and cache.length < LONGEST:
        token = int(model(tokens, cache=cache).logits[0, -1].argmax())
        if token == PAD:
            break
        text += SYMBOLS[token]
        tokens = torch.tensor([[token]])
        if text.endswith(">"):
            model(tokens, cache=cache)
            break
    return text


def carry_out(call: str, config: LoopConfig, rng: np.random.Generator) -> tuple[str, str]:
    """The result of a call, and the fault that was done to it. LabInputError if it cannot be read.

    The order matters: what is not allowed is refused before anything is worked out.
    """
    value = calculate(call)
    if "*" in call and not config.allow_product:
        return "X", "refused"
    failing, wrong = rng.random(2)
    if failing < config.failing:
        return "E", "failed"
    if wrong < config.wrong:
        return str(value + 10), "wrong"
    return str(value), ""


# What the bundled model was taught.


def lesson(rng: np.random.Generator) -> list[tuple[str, bool]]:
    """One worked question as pieces of text, with whether the model is asked for them.

    Pieces of the tools' results are read and not asked for.
    """
    a, b, c = (int(n) for n in rng.integers([10, 10, 10], [100, 100, 1000]))
    pieces = [(f"{a}*{b}+{c}=", False)]
    product = a * b
    for call, value, sign in ((f"({a}*{b})", product, "*"), (f"({product}+{c})", product + c, "+")):
        for _ in range(min(int(rng.geometric(0.75)) - 1, 3)):  # failures
            pieces += [(f"{call}>", True), ("E", False)]
        pieces.append((f"{call}>", True))
        if sign == "*" and rng.random() < 0.1:
            return [*pieces, ("X", False), ("?·", True)]
        pieces.append((str(value) + ("." if sign == "+" else ""), False))
    return [*pieces, (f"{product + c}·", True)]


def batches(size: int, rng: np.random.Generator) -> Iterator[Batch]:
    while True:
        tokens = torch.full((size, LONGEST), PAD)
        targets = torch.full((size, LONGEST), IGNORE)
        for row in range(size):
            at = 0
            for text, asked in lesson(rng):
                piece = torch.tensor([SYMBOLS.index(c) for c in text])[: LONGEST - at]
                tokens[row, at : at + len(piece)] = piece
                if asked:
                    targets[row, at - 1 : at - 1 + len(piece)] = piece
                at += len(piece)
        real = torch.arange(LONGEST)[None] < (tokens != PAD).sum(dim=1, keepdim=True) + 1
        yield Batch(tokens, targets, real)


# Recorded: how often the loop ends with the right answer, over failures and calls allowed.


@dataclass(frozen=True, slots=True, eq=False)
class LoopStudy:
    failing: np.ndarray  # (F,)
    most_calls: np.ndarray  # (C,)
    right: np.ndarray  # (F, C) share of questions
    circles: np.ndarray  # (F, C)
    wrong: np.ndarray  # (W,) chance of a wrong result
    right_wrong: np.ndarray  # (W,) share of right answers when results are wrong
    questions: int


def study(questions: int = 150, seed: int = 5) -> LoopStudy:
    failing, calls = np.array([0.0, 0.1, 0.2, 0.3, 0.5]), np.array([2, 3, 4, 6, 9])
    wrong = np.array([0.0, 0.1, 0.25, 0.5])
    rng = np.random.default_rng(seed)
    asked = [
        [int(n) for n in rng.integers([10, 10, 10], [100, 100, 1000])] for _ in range(questions)
    ]

    def ends(**settings) -> tuple[float, float]:
        traces = [
            run(LoopConfig(*numbers, seed=seed + n, **settings)) for n, numbers in enumerate(asked)
        ]
        right = sum(one.right for one in traces) / questions
        return right, sum(one.end == "circle" for one in traces) / questions

    grid = np.array(
        [[ends(failing=float(f), most_calls=int(c)) for c in calls] for f in failing]
    )  # (F, C, 2)
    return LoopStudy(
        failing, calls, grid[..., 0], grid[..., 1], wrong,
        np.array([ends(wrong=float(w))[0] for w in wrong]), questions,
    )  # fmt: skip
