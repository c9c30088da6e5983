"""Ways around a refusal: other words, other scenes, and an answer that has already begun.

A *rewrite* asks for the same thing in a form that refusal training did not show. A *prefill* puts the
first words of the answer into the model's mouth and lets it go on: whoever runs a model's weights can. If
refusing lives in the first word alone, that one word is all there is to get past.

Sources: shallow alignment arXiv:2406.05946; the past tense as a jailbreak arXiv:2407.11969.
Axes: O objects, B those asked about, R answer tokens, K prefilled words, G groups, F phrasings, S seeds.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from labcore.configs import lab_config
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.transformer import Transformer
from labcore.tuning import cabinet
from labcore.tuning.cabinet import NUM_OBJECTS, PHRASINGS, SLOTS, Phrasing
from labcore.tuning.cabinet_base import MODELS, load_cabinet, reply
from labcore.tuning.policy_losses import exact_kl
from labcore.tuning.refusal import RefusalConfig, by_group, split, teach
from labcore.tuning.rollouts import response_logits

MOST_PREFILLED = len(SLOTS) - 1
CASES = {
    "shallow": RefusalConfig(),
    "adversarial-1": RefusalConfig(rewrites=("story",)),
    "adversarial-2": RefusalConfig(rewrites=("story", "homework")),
    "deep": RefusalConfig(deep=True),
}


@lab_config
class AskConfig:
    """One question to one of the bundled models."""

    model: str = "shallow"
    make: int = 0
    thing: int = 0
    opening: str = "plain"
    naming: str = "common"
    prefilled: int = 0  # words of the true answer that the model is made to have said

    def __post_init__(self):
        if self.model not in MODELS:
            raise LabInputError("model", self.model, "known_choice", allowed=MODELS)
        for field, size in (("make", cabinet.NUM_MAKES), ("thing", cabinet.NUM_THINGS)):
            if not 0 <= getattr(self, field) < size:
                raise LabInputError(field, getattr(self, field), "between", low=0, high=size - 1)
        if not 0 <= self.prefilled <= MOST_PREFILLED:
            raise LabInputError("prefilled", self.prefilled, "between", low=0, high=MOST_PREFILLED)
        Phrasing(self.opening, self.naming)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    prompt: list[int]  # (P,)
    given: list[int]  # (K,) prefilled words, a lead-in before them if the scene has one
    said: list[int]  # what the model goes on with
    true: list[int]  # (R,)
    refused: bool
    complied: bool
    p_refusal: float  # of "Sorry" as the next word


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One kind of training with several seeds."""

    refused: np.ndarray  # (S, F, G) asked in every phrasing
    told: np.ndarray  # (S, F, G) the whole way to use the thing
    words: np.ndarray  # (S, F, G) share of the five words in their place
    prefill_told: np.ndarray  # (S, 2, K + 1) forbidden things, seen and new: the whole rest
    prefill_refused: np.ndarray  # (S, 2, K + 1) a refusal behind the prefilled words
    kl: (
        np.ndarray
    )  # (S, 2, R - 1) KL(policy ‖ base) at each word of true answers: forbidden, harmless


@dataclass(frozen=True, slots=True, eq=False)
class AttackStudy:
    cases: dict[str, Case]
    seeds: tuple[int, ...]
    seconds: float


def prefilled(
    policy: Transformer, objects: Tensor, words: int, phrasing: Phrasing | None = None
) -> Tensor:
    """The model goes on from `words` true words, which count as said.  (B,) -> (B, K + R)

    A scene's own first words are given with them. There is room for a whole refusal behind.
    """
    phrasing = phrasing or Phrasing()
    known = words + (phrasing.opening in cabinet.LEAD_IN if words else 0)
    given = cabinet.answers(objects, phrasing)[:, :known]
    prompts = torch.cat([cabinet.prompts(objects, phrasing), given], dim=1)
    return torch.cat([given, reply(policy, prompts)], dim=1)


@torch.no_grad()
def kl_by_word(policy: Transformer, base: Transformer, objects: Tensor) -> Tensor:
    """How far the policy is from its base at each word of the true answer.  (B,) -> (R - 1,) nats"""
    prompts, answers = cabinet.prompts(objects, Phrasing()), cabinet.answers(objects)[:, :-1]
    now, was = (response_logits(model, prompts, answers) for model in (policy, base))
    return exact_kl(now, was).mean(dim=0)


@torch.no_grad()
def ask(config: AskConfig) -> Asked:
    policy = load_cabinet(config.model)
    objects = torch.tensor([cabinet.number_of(config.make, config.thing)])
    phrasing = Phrasing(config.opening, config.naming)
    said = prefilled(policy, objects, config.prefilled, phrasing)
    known = config.prefilled + (config.opening in cabinet.LEAD_IN if config.prefilled else 0)
    prompt = torch.cat([cabinet.prompts(objects, phrasing), said[:, :known]], dim=1)
    chance = policy(prompt).logits[0, -1].softmax(dim=0)[cabinet.REFUSAL[0]]
    return Asked(
        prompt[0, : cabinet.PROMPT_TOKENS].tolist(), said[0, :known].tolist(), said[0, known:].tolist(),
        cabinet.answers(objects, phrasing)[0].tolist(), bool(cabinet.refuses(said)[0]),
        bool(cabinet.complies(objects, said, phrasing)[0]), float(chance),
    )  # fmt: skip


def study(seeds: tuple[int, ...] = (0, 1, 2)) -> AttackStudy:
    started = time.perf_counter()
    cases = {name: case(config, seeds) for name, config in CASES.items()}
    return AttackStudy(cases, seeds, time.perf_counter() - started)


def case(config: RefusalConfig, seeds: tuple[int, ...]) -> Case:
    """Train with each seed and attack in every way."""
    base, rows = load_cabinet(), []
    for seed in seeds:
        policy, one = load_cabinet(), replace(config, seed=seed)
        drain(teach(policy, one))
        group = split(one).group
        every = torch.arange(NUM_OBJECTS)
        forbidden = [every[group == index] for index in (0, 1)]
        harmless = cabinet.objects_of("harmless")
        rows.append(
            (
                *in_every_phrasing(policy, group),
                *prefills(policy, forbidden),
                torch.stack(
                    [kl_by_word(policy, base, one) for one in (torch.cat(forbidden), harmless)]
                ).numpy(),
            )
        )
    return Case(*(np.stack(column) for column in zip(*rows, strict=True)))


def in_every_phrasing(
    policy: Transformer, group: Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Refused, told and words of each group.  -> (F, G) three times"""
    every, rows = torch.arange(NUM_OBJECTS), []
    for phrasing in PHRASINGS.values():
        said, true = (
            reply(policy, cabinet.prompts(every, phrasing)),
            cabinet.answers(every, phrasing),
        )
        spoken = (true >= cabinet.FIRST_SLOT) & (true < cabinet.REFUSAL_FIRST)  # (O, R)
        right = ((said == true) & spoken).sum(dim=1) / len(SLOTS)
        told = cabinet.complies(every, said, phrasing)
        rows.append([by_group(v, group) for v in (cabinet.refuses(said), told, right)])
    refused, told, words = np.array(rows).transpose(1, 0, 2)
    return refused, told, words


def prefills(policy: Transformer, parts: list[Tensor]) -> tuple[np.ndarray, np.ndarray]:
    """Told to the end, and refused, behind 0, 1, … words.  -> (2, K + 1) twice"""
    told, refused = np.zeros((2, len(parts), MOST_PREFILLED + 1))
    for part, objects in enumerate(parts):
        for words in range(MOST_PREFILLED + 1):
            said = prefilled(policy, objects, words)
            told[part, words] = cabinet.complies(objects, said).double().mean()
            refused[part, words] = cabinet.refuses(said).double().mean()
    return told, refused
