"""What a screen says about a model before anybody looks inside it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from labcore.model.transformer import Transformer
from labcore.text.tokenizer import Tokenizer
from labcore.training.checkpoints import Checkpoint

Source = Literal["bundled", "cache", "hub", "own", "wheel"]


@dataclass(frozen=True, slots=True)
class Card:
    """Who a model is and how it came here."""

    name: str  # what `load` was asked for
    kind: Literal["decoder", "encoder", "encoder_decoder"]
    family: str  # the published `model_type` ("llama", "bert", …), or "lab" for the bundled ones
    source: Source  # where this load read it from
    origin: str  # where its weights first came from: a wheel, a hub id at a revision, a recipe
    parameters: int  # tied weights counted once
    licence: str | None  # SPDX-like key as published; None if the publisher names none
    languages: tuple[str, ...]  # ISO 639-1
    # bundled models only: seed, command, steps, data_sha256, losses in nats, floor, samples, date
    training: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A model, ready to read from, in evaluation mode and without gradients.

    It is shared by the whole process. To train or patch one, take a copy of your own:
    `copy.deepcopy(loaded.model).requires_grad_(True)`.
    """

    model: Transformer
    tokenizer: Tokenizer
    card: Card


def from_checkpoint(
    kept: Checkpoint, name: str, source: Source, licence: str | None
) -> LoadedModel:
    """A model that this lab's code has trained, here or at somebody else's desk."""
    kept.model.requires_grad_(False).eval()
    facts = kept.card.to_dict()
    card = Card(
        name=name,
        kind=kept.card.config.kind,
        family="lab",
        source=source,
        origin=kept.card.command,
        parameters=kept.card.parameters,
        licence=licence,
        languages=("zh", "en"),
        training={key: facts[key] for key in facts if key not in ("name", "config", "parameters")},
    )
    return LoadedModel(kept.model, kept.tokenizer, card)
