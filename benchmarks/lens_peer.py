"""`transformer_lens` on one of our models, in a process of its own: `python -m benchmarks.lens_peer MODEL`.

The library brings twenty packages that the lab has no use for, one of which makes trainers report to a
service; so it lives in an environment of its own (`environment`), which sees the lab's torch and
transformers. One line of JSON in, `[which, ids]`, one out: the processor time spent on runs so far, how
many tensors the cache held, and the logits at the last place.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from importlib.metadata import version
from pathlib import Path

REQUIREMENT = "transformer_lens>=3.9,<4"  # the last with HookedTransformer; 4 has the bridge alone
ROOT = Path(__file__).resolve().parents[1]


class Lens:
    """The peer as we see it: asked, it runs once and says what it spent."""

    def __init__(self, model: str):
        command = [environment(), "-m", "benchmarks.lens_peer", model]
        self.process = subprocess.Popen(  # nosec B603 # our own words, no shell
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        self.spent = 0.0
        self.version = json.loads(self.process.stdout.readline())

    def run(self, which: str, ids: list[int]) -> tuple[int, list[float]]:
        """How many tensors were kept, and the last place's logits."""
        print(json.dumps([which, ids]), file=self.process.stdin, flush=True)
        self.spent, count, logits = json.loads(self.process.stdout.readline())
        return count, logits

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def environment() -> Path:
    """The Python of an environment with the library in it, made when first asked for."""
    folder = Path(tempfile.gettempdir()) / "llm-lab-transformer-lens"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "done"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        place = "import sysconfig; print(sysconfig.get_path('purelib'))"
        own = subprocess.check_output([python, "-c", place], text=True).strip()  # nosec B603 # our own words, no shell
        shared = [path for path in sys.path if path.endswith("site-packages")]
        (Path(own) / "shared.pth").write_text("\n".join(shared))
        pip = [python, "-m", "pip", "install", "--quiet", REQUIREMENT]
        subprocess.run(pip, check=True, stdout=sys.stderr)  # nosec B603 # our own words, no shell
        done.touch()
    return python


def hooked(model):
    """Our decoder as a HookedTransformer, with the same weights."""
    import torch
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = model.config
    norm = {"rmsnorm": "RMS", "layernorm": "LN"}[config.norm]
    grouped = config.key_value_heads != config.num_heads
    theirs = HookedTransformer(
        HookedTransformerConfig(
            n_layers=config.num_layers, d_model=config.hidden_size, d_head=config.size_per_head,
            n_heads=config.num_heads, d_mlp=config.mlp_size, d_vocab=config.vocab_size, n_ctx=1024,
            act_fn="silu" if config.gated else "gelu", gated_mlp=config.gated,
            normalization_type=norm, eps=config.norm_eps, positional_embedding_type="rotary",
            rotary_dim=config.size_per_head, rotary_base=config.rope_theta, final_rms=norm == "RMS",
            n_key_value_heads=config.key_value_heads if grouped else None,
            original_architecture="LlamaForCausalLM", device="cpu", default_prepend_bos=False,
        )
    )  # fmt: skip
    ours, state = model.state_dict(), theirs.state_dict()
    told = {
        name: torch.zeros_like(w)
        for name, w in state.items()
        if name.rsplit(".", 1)[-1].lstrip("_")[0] == "b"
    }

    def tell(name: str, weight: torch.Tensor) -> None:
        if state[name].shape != weight.shape:
            raise ValueError(f"{name}: {tuple(state[name].shape)}, {tuple(weight.shape)}")
        told[name] = weight

    def tell_norm(name: str, part: str) -> None:
        tell(f"{name}.w", ours[f"{part}.weight"])
        if norm == "LN":
            tell(f"{name}.b", ours[f"{part}.bias"])

    tell("embed.W_E", ours["token_embedding.weight"])
    tell("unembed.W_U", ours["token_embedding.weight"].T)
    tell_norm("ln_final", "stack.final_norm")
    shared = "_" if grouped else ""
    for layer in range(config.num_layers):
        to, at = f"blocks.{layer}", f"stack.layers.{layer}"
        tell_norm(f"{to}.ln1", f"{at}.attn_norm")
        tell_norm(f"{to}.ln2", f"{at}.mlp_norm")
        for name, part in (("W_Q", "q"), (f"{shared}W_K", "k"), (f"{shared}W_V", "v")):
            weight = ours[f"{at}.attn.{part}.weight"].unflatten(0, (-1, config.size_per_head))
            tell(f"{to}.attn.{name}", weight.transpose(1, 2))
        out = ours[f"{at}.attn.out.weight"].T
        tell(f"{to}.attn.W_O", out.unflatten(0, (config.num_heads, -1)))
        parts = {"W_in": "up", "W_out": "down"} | ({"W_gate": "gate"} if config.gated else {})
        for name, part in parts.items():
            tell(f"{to}.mlp.{name}", ours[f"{at}.mlp.{part}.weight"].T)
    left = theirs.load_state_dict(told, strict=False)
    buffers = ("mask", "IGNORE", "rotary_sin", "rotary_cos")
    missing = [name for name in left.missing_keys if not name.endswith(buffers)]
    if missing or left.unexpected_keys:
        raise ValueError(f"{missing} {left.unexpected_keys}")
    return theirs.eval()


def bridged(model):
    """The library's newer way: hooks around the class of `transformers`."""
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    from benchmarks.peers import in_transformers

    theirs = in_transformers(model)
    return build_bridge_from_module(theirs, type(theirs).__name__, hf_config=theirs.config)


def serve(name: str) -> None:
    """Answer until nobody asks."""
    import torch

    from labcore.zoo import load

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is no answer
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    model = load(name).model
    kinds = {"hooked": hooked(model), "bridge": bridged(model)}
    print(json.dumps(version("transformer_lens")), file=answers, flush=True)
    spent = 0.0
    for line in sys.stdin:
        which, ids = json.loads(line)
        begun = time.process_time()
        logits, cache = kinds[which].run_with_cache(torch.tensor([ids]))
        spent += time.process_time() - begun
        answer = [spent, len(cache), logits[0, -1].tolist()]
        print(json.dumps(answer), file=answers, flush=True)
        del logits, cache


if __name__ == "__main__":
    serve(sys.argv[1])
