"""Models from a hub: asked about before anything large is fetched, and refused for a named reason.

Safetensors only, no code from the repository ever runs, the size is known and limited beforehand.
Where no hub answers within seconds, one error says so.
"""

import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as DeadlineError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import huggingface_hub
from huggingface_hub import constants, errors
from huggingface_hub.utils import validate_repo_id

from labcore.errors import LabInputError
from labcore.model.published import config_from_hf
from labcore.zoo import download
from labcore.zoo.cache import Provenance, require_room, require_sha256
from labcore.zoo.progress import OnProgress

Result = TypeVar("Result")
log = logging.getLogger(__name__)

SIZE_LIMIT_BYTES = 2_000_000_000
CONFIG_BYTES = 1_000_000  # read before anything else; a published one has some two thousand
COMPANION_BYTES = 100_000_000  # the tokenizers of the largest vocabularies have a third of that
# What a description may ask this machine to build; the largest published models stay below.
DESCRIBED_LIMITS = {"decoder_layers": 256, "encoder_layers": 256, "num_heads": 1024}
EXPERTS_LIMIT = 1024
ANSWER_SECONDS = 6.0  # for a question to the hub as a whole, name lookup included
CONNECT_SECONDS = 4.0
WEIGHTS = re.compile(r"model(-\d{5}-of-\d{5})?\.safetensors")
# Fetched besides the weights; only the first two must be there.
COMPANIONS = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


@dataclass(frozen=True, slots=True)
class HubFile:
    path: str
    bytes: int
    sha256: str | None  # known for large files


@dataclass(frozen=True, slots=True)
class HubModel:
    """What the hub says about a model, before its weights are fetched."""

    model_id: str
    revision: str  # the commit that all of this is about
    family: str  # "llama", "bert", …
    kind: str  # "decoder", "encoder" or "encoder_decoder"
    size_bytes: int  # of everything that `fetch` would download
    licence: str | None
    languages: tuple[str, ...]
    files: tuple[HubFile, ...]


def require_model_id(model_id: object) -> str:
    """`model_id` if it has the form "owner/name", else LabInputError("model_id", …, "model_id_form")."""
    try:
        validate_repo_id(model_id)
        if isinstance(model_id, str) and model_id.count("/") == 1:
            return model_id
    except errors.HFValidationError:
        pass
    raise LabInputError("model_id", str(model_id)[:60], "model_id_form")


def describe_hub_model(model_id: str, revision: str | None = None) -> HubModel:
    """Family, size and terms of a model on the hub; fetches a few kilobytes at most.

    Raises LabInputError("model_id", model_id, rule) with one of the rules "model_id_form",
    "no_such_model", "gated_model", "hub_unreachable", "safetensors_only", "fast_tokenizer",
    "full_precision", "supported_family" and "too_large" (of the files that describe it).
    """
    require_model_id(model_id)
    info = _asked(
        lambda: huggingface_hub.HfApi().model_info(
            model_id, revision=revision, files_metadata=True, timeout=CONNECT_SECONDS
        ),
        model_id,
    )
    with _hub_errors(model_id):  # a hub may answer anything
        files = _needed_files(info.siblings or [], model_id)
    config = _asked(lambda: _config(model_id, info.sha), model_id)
    kind = _supported_kind(config, model_id)
    card = info.card_data or {}
    languages = card.get("language") or ()
    return HubModel(
        model_id=model_id,
        revision=info.sha,
        family=config["model_type"],
        kind=kind,
        size_bytes=sum(file.bytes for file in files),
        licence=card.get("license"),
        languages=(languages,) if isinstance(languages, str) else tuple(languages),
        files=files,
    )


def fetch(
    described: HubModel,
    folder: Path,
    on_progress: OnProgress,
    limit_bytes: int = SIZE_LIMIT_BYTES,
) -> Provenance:
    """Download a described model's files into `folder` and check what can be checked.

    Raises LabInputError("model_id", …) with the rule "too_large", "disk_full", "checksum_differs",
    "download_stalled" or one of those of `describe_hub_model`.
    """
    model_id, size_bytes = described.model_id, described.size_bytes
    if size_bytes > limit_bytes:
        raise LabInputError(
            "model_id", model_id, "too_large", size_bytes=size_bytes, limit_bytes=limit_bytes
        )
    require_room(folder, size_bytes, model_id)
    _download(described, folder, on_progress)
    on_progress(1.0, "checking")
    for file in described.files:
        if file.sha256 is not None:
            require_sha256(folder / file.path, file.sha256, model_id)
    origin = f"{model_id}@{described.revision}"
    return Provenance("hub", origin, described.licence, described.languages)


def _download(described: HubModel, folder: Path, on_progress: OnProgress) -> None:
    request = {
        "model_id": described.model_id, "revision": described.revision, "folder": str(folder),
        "files": [file.path for file in described.files], "connect_seconds": CONNECT_SECONDS,
    }  # fmt: skip
    environment = {
        "HF_ENDPOINT": constants.ENDPOINT,
        "HF_HUB_OFFLINE": str(int(constants.HF_HUB_OFFLINE)),
        "HF_HUB_DISABLE_XET": "1",  # it writes a file at its end, so nobody could see it grow
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    try:
        failed, said, complained = download.run(
            ["hub", json.dumps(request)], folder, described.size_bytes, on_progress, environment
        )
    except download.Stalled as error:
        raise LabInputError("model_id", described.model_id, "download_stalled") from error
    if failed:
        rule = (said.split() or ["hub_answer"])[-1]
        log.warning("%s was not fetched: %s", described.model_id, complained.strip()[-300:])
        raise LabInputError("model_id", described.model_id, rule)


def _config(model_id: str, revision: str) -> dict[str, Any]:
    """The repository's `config.json`; empty if it is not even JSON."""
    with TemporaryDirectory() as folder:
        path = huggingface_hub.hf_hub_download(
            model_id,
            "config.json",
            revision=revision,
            local_dir=folder,
            etag_timeout=CONNECT_SECONDS,
        )
        text = Path(path).read_bytes()
    try:
        config = json.loads(text)
    except ValueError:
        return {}
    return config if isinstance(config, dict) else {}


def _needed_files(siblings: list[Any], model_id: str) -> tuple[HubFile, ...]:
    """Weights in safetensors at the top of the repository, and what describes them."""
    at_hand = {file.rfilename: file for file in siblings}
    weights = ["model.safetensors"] if "model.safetensors" in at_hand else []
    weights = weights or sorted(filter(WEIGHTS.fullmatch, at_hand))
    if "config.json" not in at_hand:
        raise LabInputError("model_id", model_id, "supported_family", family=None)
    if not weights:
        raise LabInputError("model_id", model_id, "safetensors_only")
    if "tokenizer.json" not in at_hand:
        raise LabInputError("model_id", model_id, "fast_tokenizer")
    chosen = [at_hand[name] for name in (*weights, *COMPANIONS) if name in at_hand]
    for file in chosen[len(weights) :]:
        limit_bytes = CONFIG_BYTES if file.rfilename == "config.json" else COMPANION_BYTES
        if (file.size or 0) > limit_bytes:
            raise LabInputError(
                "model_id", model_id, "too_large", size_bytes=file.size, limit_bytes=limit_bytes
            )
    return tuple(
        HubFile(file.rfilename, file.size or 0, file.lfs.sha256 if file.lfs else None)
        for file in chosen
    )


def _supported_kind(config: dict[str, Any], model_id: str) -> str:
    if "quantization_config" in config:
        raise LabInputError("model_id", model_id, "full_precision")
    try:
        described = config_from_hf(config)
    except (LabInputError, LookupError, TypeError, ValueError) as error:
        raise LabInputError(
            "model_id", model_id, "supported_family", family=config.get("model_type")
        ) from error
    asked = {name: getattr(described, name) for name in DESCRIBED_LIMITS}
    experts = described.moe.num_experts if described.moe else 0
    if experts > EXPERTS_LIMIT or any(asked[name] > DESCRIBED_LIMITS[name] for name in asked):
        raise LabInputError("model_id", model_id, "too_large", **asked, num_experts=experts)
    return described.kind


def _asked(question: Callable[[], Result], model_id: str) -> Result:
    """The hub's answer, or LabInputError within seconds.

    subtle: a client's time limit does not cover looking the hub's name up, which alone can take half
    a minute where packets are dropped; so the question gets a thread of its own and is left behind.
    """
    answer: Future[Result] = Future()

    def ask() -> None:
        try:
            answer.set_result(question())
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name="zoo-hub", daemon=True).start()
    with _hub_errors(model_id):
        return answer.result(timeout=ANSWER_SECONDS)


@contextmanager
def _hub_errors(model_id: str) -> Iterator[None]:
    """Whatever the client raises is one LabInputError with a rule, see `download.rule_of`."""
    try:
        yield
    except LabInputError:
        raise
    except Exception as error:
        rule = "hub_unreachable" if isinstance(error, DeadlineError) else download.rule_of(error)
        if rule is None:
            raise
        raise LabInputError("model_id", model_id, rule) from error
