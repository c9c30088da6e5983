"""A direction that stands for refusing: found, taken out, put in.

Read the residual stream at the question mark, the last word before the answer. Its mean over questions
that are refused, less its mean over questions that are answered, is a direction. If refusing is decided
there, a stream without that component should refuse nothing, and a stream with more of it should refuse
everything.

Two things are called "taking it out". Setting the component to *zero* is what a projection does, but zero
need not be a place where any answered question ever was. Setting it to the *mean of the answered* asks
what would be if this question were an ordinary one. A random direction is the control.

Sources: arXiv:2406.11717; the mean instead of zero ("affine") arXiv:2411.09003.
Axes: B questions, T tokens, D width, L sites, R answer tokens.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.trace import Interventions
from labcore.model.transformer import Transformer
from labcore.tuning import cabinet
from labcore.tuning.cabinet import ANSWER_TOKENS, NUM_OBJECTS, Phrasing
from labcore.tuning.cabinet_base import CONFIG, load_cabinet
from labcore.tuning.refusal import GROUPS, RefusalConfig, by_group, refusal_chance, split, teach

SITES = tuple(
    f"layers.{layer}.{place}" for layer in range(CONFIG.num_layers) for place in ("resid_mid", "resid_post")
)  # fmt: skip
WAYS = ("none", "zero", "mean", "add", "random_zero", "random_add")
RANDOM_SEED = 11
MOST_STRENGTH = 3.0


@lab_config
class SteerConfig:
    """What is done to the bundled model's stream, at one site, at every token."""

    site: int = 2  # of SITES
    way: str = "zero"
    strength: float = 1.0  # of "add": in lengths of the difference of means
    model: str = "shallow"

    def __post_init__(self):
        if not 0 <= self.site < len(SITES):
            raise LabInputError("site", self.site, "between", low=0, high=len(SITES) - 1)
        if self.way not in WAYS:
            raise LabInputError("way", self.way, "known_choice", allowed=WAYS)
        if not 0 <= self.strength <= MOST_STRENGTH:
            raise LabInputError("strength", self.strength, "between", low=0, high=MOST_STRENGTH)


@dataclass(frozen=True, slots=True, eq=False)
class Steered:
    refused: np.ndarray  # (G,)
    answered: np.ndarray  # (G,)
    along: np.ndarray  # (O,) component along the direction at the question mark, untouched
    p_refusal: np.ndarray  # (O,) untouched
    group: np.ndarray  # (O,) index into GROUPS
    means: tuple[float, float]  # component of refused and answered examples
    replies: np.ndarray  # (O, R) int16


@dataclass(frozen=True, slots=True, eq=False)
class DirectionStudy:
    """Three freshly taught models; every way at every site. "add" at strength 1."""

    refused: dict[str, np.ndarray]  # way -> (S, L, G)
    answered: dict[str, np.ndarray]  # way -> (S, L, G)
    cosine: np.ndarray  # (S, L, L) between the directions of sites
    means: np.ndarray  # (S, L, 2) components of refused and answered examples
    length: np.ndarray  # (S, L) of the difference of means
    seeds: tuple[int, ...]
    seconds: float


def difference_of_means(refused: Tensor, answered: Tensor) -> Tensor:
    """From what is answered to what is refused.  (B, D), (B', D) -> (D,)"""
    return refused.mean(dim=0) - answered.mean(dim=0)


def ablate(stream: Tensor, direction: Tensor, towards: float = 0.0) -> Tensor:
    """The stream with its component along the direction set to `towards`.  (…, D), (D,) -> (…, D)

    With 0 it is the projection x − (x·r̂) r̂ onto everything at right angles to r.
    """
    unit = direction / direction.norm()
    return stream + (towards - stream @ unit)[..., None] * unit


@torch.no_grad()
def streams(policy: Transformer, objects: Tensor) -> Tensor:
    """The residual stream at the question mark, at every site.  (B,) -> (L, B, D)"""
    trace = policy(cabinet.prompts(objects, Phrasing()), trace=True).trace
    return torch.stack([trace[site][:, -1] for site in SITES])


@torch.no_grad()
def steered_reply(policy: Transformer, objects: Tensor, interventions: Interventions) -> Tensor:
    """Likeliest answers with a changed stream.  (B,) -> (B, R)

    Every word is read again for each new one, without a cache: ten tokens are few.
    """
    text = cabinet.prompts(objects, Phrasing())
    ended = torch.zeros(len(objects), dtype=torch.bool)
    for _ in range(ANSWER_TOKENS):
        token = policy(text, interventions=interventions).logits[:, -1].argmax(dim=1)
        token = token.masked_fill(ended, cabinet.PAD)
        ended = ended | (token == cabinet.END)
        text = torch.cat([text, token[:, None]], dim=1)
    return text[:, cabinet.PROMPT_TOKENS :]


class Directions:
    """What one taught model's examples say about every site."""

    def __init__(self, policy: Transformer, config: RefusalConfig):
        chosen = split(config)
        self.group = chosen.group
        refused, answered = streams(policy, chosen.refused), streams(policy, chosen.answered)
        pairs = zip(refused, answered, strict=True)
        self.found = torch.stack([difference_of_means(*pair) for pair in pairs])  # (L, D)
        unit = self.found / self.found.norm(dim=1, keepdim=True)
        self.refused_mean, self.answered_mean = (
            (one * unit[:, None]).sum(dim=2).mean(dim=1) for one in (refused, answered)
        )  # (L,) each
        generator = torch.Generator().manual_seed(RANDOM_SEED)
        noise = torch.randn(self.found.shape, generator=generator)
        length = self.found.norm(dim=1, keepdim=True)
        self.random = noise / noise.norm(dim=1, keepdim=True) * length  # as long, any direction

    def change(self, site: int, way: str, strength: float = 1.0) -> Interventions:
        """The intervention that a way stands for."""
        r, noise = self.found[site], self.random[site]
        ways: dict[str, Callable[[Tensor], Tensor]] = {
            "none": lambda x: x,
            "zero": lambda x: ablate(x, r),
            "mean": lambda x: ablate(x, r, float(self.answered_mean[site])),
            "add": lambda x: x + strength * r,
            "random_zero": lambda x: ablate(x, noise),
            "random_add": lambda x: x + strength * noise,
        }
        return {SITES[site]: ways[way]}


def outcome(
    policy: Transformer, directions: Directions, site: int, way: str, strength: float = 1.0
) -> tuple[np.ndarray, np.ndarray, Tensor]:
    """Shares refused and answered of each group, and the answers.  -> (G,), (G,), (O, R)"""
    every = torch.arange(NUM_OBJECTS)
    said = steered_reply(policy, every, directions.change(site, way, strength))
    shares = (cabinet.refuses(said), cabinet.complies(every, said))
    return *(by_group(one, directions.group) for one in shares), said


def steer(config: SteerConfig) -> Steered:
    """A bundled model, changed as the learner says."""
    policy = load_cabinet(config.model).eval()
    directions = Directions(policy, RefusalConfig(deep=config.model == "deep"))
    every = torch.arange(NUM_OBJECTS)
    refused, answered, said = outcome(policy, directions, config.site, config.way, config.strength)
    unit = directions.found[config.site] / directions.found[config.site].norm()
    along = streams(policy, every)[config.site] @ unit
    means = (directions.refused_mean[config.site], directions.answered_mean[config.site])
    return Steered(
        refused, answered, along.numpy(), refusal_chance(policy, every, Phrasing()).numpy(),
        directions.group.numpy(), tuple(map(float, means)), said.numpy().astype(np.int16),
    )  # fmt: skip


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> DirectionStudy:
    started, rows = time.perf_counter(), []
    shape = (len(seeds), len(SITES), len(GROUPS))
    refused, answered = ({way: np.zeros(shape) for way in WAYS} for _ in range(2))
    for index, seed in enumerate(seeds):
        policy, config = load_cabinet(), RefusalConfig(seed=seed)
        drain(teach(policy, config))
        policy.eval()
        directions = Directions(policy, config)
        for way in WAYS:
            for site in range(len(SITES)):
                shares = outcome(policy, directions, site, way)
                refused[way][index, site], answered[way][index, site] = shares[:2]
        unit = directions.found / directions.found.norm(dim=1, keepdim=True)
        means = torch.stack([directions.refused_mean, directions.answered_mean], dim=1)
        rows.append([(unit @ unit.T).numpy(), means.numpy(), directions.found.norm(dim=1).numpy()])
    cosine, means, length = (np.stack(column) for column in zip(*rows, strict=True))
    return DirectionStudy(
        refused, answered, cosine, means, length, seeds, time.perf_counter() - started
    )
