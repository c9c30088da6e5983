"""`load(name)`: the one door to every model in the lab."""

import json
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import safetensors.torch
from safetensors import SafetensorError

from labcore import shipped
from labcore.errors import LabInputError
from labcore.model.published import from_hf
from labcore.model.transformer import Transformer
from labcore.training import checkpoints
from labcore.zoo import cache, hub, own, real
from labcore.zoo.cards import Card, LoadedModel, from_checkpoint
from labcore.zoo.progress import OnProgress, stretch
from labcore.zoo.published_tokenizer import PublishedTokenizer
from labcore.zoo.shelf import Shelf

SHELF = Shelf()
BUNDLED_LICENCE = "MIT"


def bundled_names() -> list[str]:
    """The models that come with the lab, also one whose files have gone: `load` then names them."""
    return [PurePosixPath(card).parent.name for card in shipped.listed("checkpoints/*/card.json")]


def real_names() -> list[str]:
    """The published models that are fetched when first asked for."""
    return list(real.REAL_MODELS)


def is_at_hand(name: str) -> bool:
    """Whether `load(name)` needs no network: bundled, in memory, or in this machine's cache.

    A cached file that was damaged since counts as at hand; loading notices and fetches it again.
    """
    if name in bundled_names() or name in SHELF.names() or own.is_kept(name):
        return True
    known = name in real.REAL_MODELS or "/" in name
    return known and (cache.cache_root() / "models" / _key(name) / "entry.json").exists()


def load(name: str, on_progress: OnProgress = lambda share, stage: None) -> LoadedModel:
    """A bundled model, a real one, a learner's own, or any hub model by its id ("owner/name").

    The same object for everybody in this process; it is let go when nobody asked for a quarter of an
    hour. Never train or patch it: copy first. Only a real model's first load and a hub id reach for
    the network.

    Raises LabInputError("model_id", name, rule): "model_id_form", "no_source" (a real model when
    neither hub nor package index can be reached), "checksum_differs", "disk_full", "cache_writable",
    "download_stalled", and for a hub id also "no_such_model", "gated_model", "hub_unreachable", "hub_answer",
    "safetensors_only", "fast_tokenizer",
    "full_precision", "supported_family" (fact: `family`), "too_large" (facts: `size_bytes`,
    `limit_bytes`), "readable_weights", "readable_tokenizer".
    """
    if name.startswith(own.PREFIX):
        return own.load(name)
    if name in bundled_names():
        make = partial(_load_bundled, name)
    elif name in real.REAL_MODELS:
        make = partial(_load_cached, name, partial(_make_real, name, on_progress), on_progress)
    else:
        hub.require_model_id(name)
        make = partial(_load_cached, name, partial(_make_from_hub, name, on_progress), on_progress)
    return SHELF.get(name, make, on_wait=lambda: on_progress(0.0, "waiting"))


def release_idle() -> list[str]:
    """Let go of models that nobody asked for lately; a timer does so anyway."""
    return SHELF.release_idle()


def _load_bundled(name: str) -> LoadedModel:
    kept = checkpoints.load(checkpoints.ASSETS / name)
    return from_checkpoint(kept, name, "bundled", BUNDLED_LICENCE)


def _make_real(name: str, on_progress: OnProgress, folder: Path) -> cache.Provenance:
    return real.make(name, folder, stretch(on_progress, 0.0, 0.9))


def _make_from_hub(model_id: str, on_progress: OnProgress, folder: Path) -> cache.Provenance:
    on_progress(0.0, "downloading")
    described = hub.describe_hub_model(model_id)
    return hub.fetch(described, folder, stretch(on_progress, 0.0, 0.9))


def _load_cached(name: str, make: cache.Make, on_progress: OnProgress) -> LoadedModel:
    on_progress(0.0, "checking")
    entry, was_here = cache.obtain(_key(name), make, on_progress)
    on_progress(0.9, "loading")
    config = json.loads((entry.folder / "config.json").read_text(encoding="utf-8"))
    model = _read_model(name, entry.folder, config)
    card = Card(
        name=name,
        kind=model.config.kind,
        family=config["model_type"],
        source="cache" if was_here else entry.provenance.source,
        origin=entry.provenance.origin,
        parameters=sum(weight.numel() for weight in model.parameters()),
        licence=entry.provenance.licence,
        languages=entry.provenance.languages,
    )
    tokenizer = PublishedTokenizer.from_folder(entry.folder)
    on_progress(1.0, "loading")
    return LoadedModel(model, tokenizer, card)


def _read_model(name: str, folder: Path, config: dict[str, Any]) -> Transformer:
    """The model with its weights mapped from disk: fp32 ones take no memory until they are used."""
    try:
        weights = {}
        for path in sorted(folder.glob("*.safetensors")):  # large models come in several files
            weights |= safetensors.torch.load_file(path)
        return from_hf(config, weights).requires_grad_(False)
    except (LabInputError, LookupError, SafetensorError) as error:
        said = f"{type(error).__name__}: {error}"[:200]
        raise LabInputError("model_id", name, "readable_weights", said=said) from error


def _key(name: str) -> str:
    """The name of a model's folder in the cache. A valid id holds no "--", so none can collide."""
    return name.replace("/", "--")
