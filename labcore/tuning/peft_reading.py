"""An adapter that a learner brings: peft's files, read back onto the teller.

Nothing is believed: sizes, names and shapes are checked against the teller before anything is built, and
an option that this lab does not have is refused rather than left out.
"""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from labcore.errors import LabInputError
from labcore.tuning import teller
from labcore.tuning.lora import TARGETS, LoRAConfig, LoRALinear, replace, target_linears
from labcore.tuning.methods import MOST_SIZE
from labcore.tuning.peft_files import CONFIG_FILE, PREFIX, WEIGHTS_FILE, hf_name
from labcore.tuning.small_parts import Bottleneck, PrefixTuned, PromptTuned, ScaledLinear

LIMIT_BYTES = 4 * 2**20
# Options that change what an adapter says, with the only values that this lab knows.
PLAIN = {
    "bias": (None, "none"), "rank_pattern": (None, {}), "alpha_pattern": (None, {}),
    "modules_to_save": (None, []), "fan_in_fan_out": (None, False), "lora_bias": (None, False),
    "prefix_projection": (None, False), "layer_replication": (None,),
}  # fmt: skip
Weights = dict[str, Tensor]


def with_adapter(data: bytes) -> nn.Module:
    """The teller with an uploaded adapter on it, in evaluation mode.

    Raises LabInputError("upload", …) for whatever cannot be one.
    """
    try:
        config, weights = unzipped(data)
        build = READERS.get(config.get("peft_type"))
        if build is None:
            raise LabInputError(
                "peft_type", config.get("peft_type"), "known_choice", allowed=tuple(READERS)
            )
        for option, allowed in PLAIN.items():
            if config.get(option) not in allowed:
                raise LabInputError(option, config[option], "supported_option")
        model = build(config, weights)
        if weights:  # every reader takes out what it uses
            raise LabInputError("weights", sorted(weights)[:3], "known_weights", left=len(weights))
        return model.eval().requires_grad_(False)
    except LabInputError as error:
        raise LabInputError("upload", error.field, error.rule, **error.facts) from error
    except (
        SafetensorError, zipfile.BadZipFile, ArithmeticError, AttributeError, LookupError,
        NotImplementedError, OSError, RecursionError, RuntimeError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise LabInputError("upload", type(error).__name__, "peft_adapter") from error


def unzipped(data: bytes) -> tuple[dict[str, Any], Weights]:
    """The two files, wherever in the zip they lie."""
    if len(data) > LIMIT_BYTES:
        raise LabInputError("upload", len(data), "at_most_bytes", limit=LIMIT_BYTES)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {}
        for entry in archive.infolist():
            last = entry.filename.rpartition("/")[2]
            if last not in (CONFIG_FILE, WEIGHTS_FILE):
                continue
            if entry.file_size > LIMIT_BYTES:  # a small zip can hold a large file
                raise LabInputError("upload", entry.file_size, "at_most_bytes", limit=LIMIT_BYTES)
            with archive.open(entry) as file:
                files[last] = file.read(LIMIT_BYTES + 1)
    weights = safetensors.torch.load(files[WEIGHTS_FILE])
    for name, weight in weights.items():
        if not weight.is_floating_point() or not weight.isfinite().all():
            raise LabInputError("weights", name, "finite")
    weights = {name: weight.float() for name, weight in weights.items()}
    return json.loads(files[CONFIG_FILE]), weights


def read_lora(config: dict[str, Any], weights: Weights) -> nn.Module:
    """LoRA, rsLoRA and DoRA, on whichever matrices the file has."""
    model = teller.load_teller().requires_grad_(False)
    settings = LoRAConfig(
        int(config["r"]), float(config["lora_alpha"]), 0.0, TARGETS,
        bool(config.get("use_rslora")), bool(config.get("use_dora")),
    )  # fmt: skip
    for name, linear, theirs in places(model, TARGETS):
        if f"{theirs}.lora_A.weight" not in weights:
            continue
        part = LoRALinear(linear, settings, torch.Generator())
        fill(part.a, weights, f"{theirs}.lora_A.weight")
        fill(part.b, weights, f"{theirs}.lora_B.weight")
        if settings.dora:
            fill(part.length, weights, f"{theirs}.lora_magnitude_vector")
        replace(model, name, part)
    return model


def read_ia3(config: dict[str, Any], weights: Weights) -> nn.Module:
    model = teller.load_teller().requires_grad_(False)
    inner = set(config.get("feedforward_modules") or ())
    for name, linear, theirs in places(model, TARGETS):
        if f"{theirs}.ia3_l" in weights:
            part = ScaledLinear(linear, scale_inputs=theirs.rpartition(".")[2] in inner)
            fill(part.factors, weights, f"{theirs}.ia3_l")
            replace(model, name, part)
    return model


def read_adapters(config: dict[str, Any], weights: Weights) -> nn.Module:
    model = teller.load_teller().requires_grad_(False)
    width = within(config["width"])
    for name, linear, theirs in places(model, ("out", "down")):
        part = Bottleneck(linear, width, torch.Generator())
        fill(part.narrow, weights, f"{theirs}.narrow")
        fill(part.widen, weights, f"{theirs}.widen")
        replace(model, name, part)
    return model


def read_prompt(config: dict[str, Any], weights: Weights) -> nn.Module:
    model = PromptTuned(
        teller.load_teller(), within(config["num_virtual_tokens"]), torch.Generator()
    )
    fill(model.prompt, weights, "prompt_embeddings")
    return model


def read_prefix(config: dict[str, Any], weights: Weights) -> nn.Module:
    tokens = within(config["num_virtual_tokens"])
    model = PrefixTuned(teller.load_teller(), tokens, torch.Generator())
    flat = weights.pop("prompt_embeddings")  # (P, 2·L·K·d), see `peft_files.flat_prefix`
    base = model.config
    shape = (tokens, base.num_layers, 2, base.key_value_heads, -1)
    with torch.no_grad():
        for layer, parts in enumerate(flat.view(shape).unbind(1)):  # (P, 2, K, d)
            for kept, part in zip((model.keys, model.values), parts.unbind(1), strict=True):
                kept[layer].copy_(part.transpose(0, 1)[None])
    return model


READERS: dict[str, Callable[[dict[str, Any], Weights], nn.Module]] = {
    "LORA": read_lora, "IA3": read_ia3, "BOTTLENECK": read_adapters,
    "PROMPT_TUNING": read_prompt, "PREFIX_TUNING": read_prefix,
}  # fmt: skip


def places(model: nn.Module, targets: tuple[str, ...]) -> list[tuple[str, nn.Linear, str]]:
    """Every matrix with its name here and the one that it has in peft's files."""
    return [(n, linear, PREFIX + hf_name(n)) for n, linear in target_linears(model, targets)]


@torch.no_grad()
def fill(parameter: Tensor, weights: Weights, name: str) -> None:
    """Take `name` out of `weights`; as many numbers as the parameter has, in one of its shapes."""
    weight = weights.pop(name)
    if weight.squeeze().shape != parameter.squeeze().shape:
        raise LabInputError("weights", name, "same_shape", expected=tuple(parameter.shape))
    parameter.copy_(weight.view_as(parameter))


def within(size: Any) -> int:
    if not 1 <= int(size) <= MOST_SIZE:
        raise LabInputError("size", size, "between", low=1, high=MOST_SIZE)
    return int(size)


def numbers(data: bytes) -> int:
    """How many numbers the file holds."""
    return sum(weight.numel() for weight in unzipped(data)[1].values())
