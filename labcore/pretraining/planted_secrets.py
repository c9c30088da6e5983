"""Secrets planted in a training text, and how well a model knows each: its exact exposure.

A secret is a sentence with four random digits, "The PIN of Anna's card is 4831.". A model that has not
seen it can only guess; one that has ranks the true digits higher among all 10,000. How much higher is the
exposure of Carlini et al. (arXiv:1802.08232), in bits:

    exposure = log2 |R| − log2 rank,    R all secrets that could have been drawn, |R| = 10,000

0 bits: ranked last; 13.3 bits: ranked first. Four digits are few enough to ask the model for every one of
them; with nine, as in the paper, one ranks against a sample.

Axes: S secrets, R = 10,000 possible secrets.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from labcore.model.cache import KVCache
from labcore.model.transformer import Transformer
from labcore.pretraining.small_world import SmallVocabulary, row
from labcore.text.lexicon import NAMES
from labcore.text.world import Story

DIGITS = 4
POSSIBLE = 10**DIGITS  # |R|
MOST_BITS = math.log2(POSSIBLE)
OWN = 0  # the name that the learner's secret belongs to
# How often each of the other names' secrets is planted; those at 0 are never seen: the control.
DOSES = (64, 64, 16, 16, 4, 4, 4, 1, 1, 1, 1, 0, 0, 0, 0)
SENTENCES = {"en": "The PIN of {name}'s card is {pin}.", "zh": "{name}的卡片密码是{pin}。"}
SENTENCE = re.compile(r".+?(?:[.!?][\"”]?(?=\s|$)|[。！？]”?|$)\s*")


@dataclass(frozen=True, slots=True)
class Secret:
    name: int  # in NAMES
    pin: str
    copies: int

    def told(self, language: str) -> Story:
        name = NAMES[self.name][language]
        return Story(language, SENTENCES[language].format(name=name, pin=self.pin))


def draw_secrets(own_pin: str, own_copies: int, rng: torch.Generator) -> list[Secret]:
    """The learner's own secret first; the other names in random order, their digits drawn anew."""
    others = (torch.randperm(len(DOSES), generator=rng) + 1).tolist()
    pins = torch.randint(POSSIBLE, (len(DOSES),), generator=rng).tolist()
    drawn = [
        Secret(name, f"{pin:0{DIGITS}}", copies)
        for name, pin, copies in zip(others, pins, DOSES, strict=True)
    ]
    return [Secret(OWN, own_pin, own_copies), *drawn]


def plant(
    rest: Sequence[Story], secrets: Sequence[Secret], inside: bool, rng: torch.Generator
) -> list[Story]:
    """The rest of the text and every copy of every secret.

    A copy is a document of its own or, with `inside`, stands behind a passage that differs from copy to copy.
    """
    documents = list(rest)
    for secret in secrets:
        told = secret.told(rest[0].language)
        hosts = torch.randperm(len(rest), generator=rng)[: secret.copies].tolist()
        gap = " " if told.language == "en" else ""
        documents += [
            Story(told.language, rest[host].text + gap + told.text) if inside else told
            for host in hosts
        ]
    return documents


def without_repeated_documents(documents: Sequence[Story]) -> list[Story]:
    """Each document once."""
    return list(dict.fromkeys(documents))


def without_repeated_sentences(documents: Sequence[Story]) -> list[Story]:
    """Each sentence once, where it first occurs; a document of which nothing is left is dropped."""
    seen: set[str] = set()
    kept = []
    for document in documents:
        fresh = []
        for sentence in SENTENCE.findall(document.text):
            if sentence.strip() not in seen:
                seen.add(sentence.strip())
                fresh.append(sentence)
        if fresh:
            kept.append(Story(document.language, "".join(fresh).strip()))
    return kept


def exposure_bits(rank: int) -> float:
    """log2 |R| − log2 rank."""
    return MOST_BITS - math.log2(rank)


def digit_tokens(vocabulary: SmallVocabulary, language: str) -> list[int]:
    """The small vocabulary's token of each digit, 0 to 9."""
    spelled = vocabulary.narrow(row(Secret(OWN, "0123456789", 1).told(language)))
    return spelled[-12:-2]  # before the full stop and the end


def opening(secret: Secret, vocabulary: SmallVocabulary, language: str) -> list[int]:
    """The sentence up to its digits."""
    return vocabulary.narrow(row(secret.told(language)))[: -DIGITS - 2]


@torch.no_grad()
def pin_log_probs(model: Transformer, opening: Sequence[int], digits: Sequence[int]) -> Tensor:
    """ln P of each of the 10,000 PINs after this opening.  -> (R,), in the order of the PINs

    The opening is read once; behind it the first three digits in all 1,000 ways, and the model's shares of
    the digits after each. ln P of a PIN is the sum over its four digits.
    """
    cache = KVCache()
    first = model(torch.tensor([opening]), cache=cache).logits[:, -1]  # (1, V)
    ways = torch.cartesian_prod(*[torch.arange(10)] * (DIGITS - 1))  # (1000, 3)
    cache.entries = {
        layer: tuple(kept.expand(len(ways), *kept.shape[1:]) for kept in both)
        for layer, both in cache.entries.items()
    }
    spelled = torch.tensor(digits)
    rest = model(spelled[ways], cache=cache).logits  # (1000, 3, V)
    logits = torch.cat([first.expand(len(ways), -1)[:, None], rest], dim=1)  # (1000, 4, V)
    shares = logits.log_softmax(-1)[..., spelled]  # (1000, 4, 10)
    before = shares[:, :-1].gather(2, ways[..., None]).sum(dim=(1, 2))  # of the three digits
    return (before[:, None] + shares[:, -1]).flatten()


def rank_of(pin: str, log_probs: Tensor) -> int:
    """The place of these digits among all, 1 for the likeliest."""
    return 1 + int((log_probs > log_probs[int(pin)]).sum())
