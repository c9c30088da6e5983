"""A capacity plan as files: vLLM, llama.cpp, ONNX Runtime, a container.

The files are text made from the plan's numbers. Whether they are well formed is checked here: YAML and JSON
parse, Python parses, every shell line splits as a shell would split it, every line of the Dockerfile begins
with an instruction. That a server starts from them is not checked: there is none on this machine.

Options as documented: docs.vllm.ai (engine arguments), llama.cpp's README of llama-server, Optimum.
"""

import ast
import io
import json
import re
import shlex
import zipfile
from dataclasses import asdict

import yaml

from labcore.errors import LabInputError, check_choices
from labcore.serving import capacity
from labcore.serving.capacity import CapacityConfig, CapacityResult

# Presets whose weights are published, and where. (GPT-3's are not.)
HUB: dict[str, str] = {
    "gpt2": "openai-community/gpt2",
    "gpt2-medium": "openai-community/gpt2-medium",
    "gpt2-large": "openai-community/gpt2-large",
    "gpt2-xl": "openai-community/gpt2-xl",
    "llama-2-7b": "meta-llama/Llama-2-7b-hf",
    "llama-2-13b": "meta-llama/Llama-2-13b-hf",
    "llama-2-70b": "meta-llama/Llama-2-70b-hf",
    "llama-3-8b": "meta-llama/Meta-Llama-3-8B",
    "llama-3-70b": "meta-llama/Meta-Llama-3-70B",
    "llama-3.1-405b": "meta-llama/Llama-3.1-405B",
    "llama-3.2-1b": "meta-llama/Llama-3.2-1B",
    "mistral-7b": "mistralai/Mistral-7B-v0.1",
    "mixtral-8x7b": "mistralai/Mixtral-8x7B-v0.1",
    "qwen2.5-0.5b": "Qwen/Qwen2.5-0.5B",
    "qwen2.5-7b": "Qwen/Qwen2.5-7B",
    "smollm2-135m": "HuggingFaceTB/SmolLM2-135M",
    "smollm2-360m": "HuggingFaceTB/SmolLM2-360M",
    "smollm2-1.7b": "HuggingFaceTB/SmolLM2-1.7B",
}
VLLM_IMAGE = "vllm/vllm-openai:v0.10.0"
VLLM_WEIGHTS = {16: [], 8: ["--quantization", "fp8"], 4: ["--quantization", "bitsandbytes"]}
# vLLM keeps its cache in 16 or 8 bits: a plan with 4 gets 8 there, and needs more memory than planned.
VLLM_CACHE = {16: [], 8: ["--kv-cache-dtype", "fp8"], 4: ["--kv-cache-dtype", "fp8"]}
GGUF_WEIGHTS = {16: "BF16", 8: "Q8_0", 4: "Q4_K_M"}
GGUF_CACHE = {16: "f16", 8: "q8_0", 4: "q4_0"}
INSTRUCTIONS = {"FROM", "ENV", "EXPOSE", "ENTRYPOINT", "CMD", "HEALTHCHECK"}


def vllm_arguments(config: CapacityConfig, batch: int) -> list[str]:
    """The plan as vLLM's engine arguments."""
    return [
        "--tensor-parallel-size", str(config.group),
        "--max-model-len", str(config.prompt + config.answer),
        "--max-num-seqs", str(batch),
        "--gpu-memory-utilization", f"{1 - config.reserve:.2f}",
        *VLLM_WEIGHTS[config.weight_bits],
        *VLLM_CACHE[config.cache_bits],
    ]  # fmt: skip


def files(config: CapacityConfig, result: CapacityResult) -> dict[str, str]:
    """Every file of the plan by its name."""
    check_choices(config, {"preset": tuple(HUB)})
    if not result.batch:
        raise LabInputError("batch", 0, "at_least", limit=1)
    arguments = vllm_arguments(config, result.batch)
    return {
        "plan.json": plan(config, result),
        "vllm/serve.sh": shell(["vllm", "serve", HUB[config.preset], *arguments, "--port", "8000"]),
        "vllm/compose.yaml": compose(config, result, arguments),
        "llama.cpp/serve.sh": llama_cpp(config, result),
        "onnx/export.py": onnx(config),
        "onnx/requirements.txt": "optimum[onnxruntime]\ntransformers\n",
        "container/Dockerfile": dockerfile(config, arguments),
    }


def plan(config: CapacityConfig, result: CapacityResult) -> str:
    """What was asked and what came out, so that the files can be told from those of another plan."""
    found = {
        "texts_at_once": result.batch, "copies": result.copies, "devices": result.devices,
        "milliseconds_per_token_when_full": round(1e3 * float(result.next_seconds[result.chosen]), 2),
        "cost_per_million_answer_tokens": round(result.real_cost, 4),
    }  # fmt: skip
    return json.dumps({"asked": asdict(config), "found": found}, indent=2) + "\n"


def shell(*commands: list[str]) -> str:
    """A script; every word is quoted if it needs to be.  An option and its value share a line."""
    lines = [" ".join(shlex.quote(word) for word in command) for command in commands]
    folded = [re.sub(r" (?=--)", " \\\n  ", line) for line in lines]
    return "\n".join(["#!/bin/sh", "set -eu", *folded]) + "\n"


def compose(config: CapacityConfig, result: CapacityResult, arguments: list[str]) -> str:
    """One service, as many replicas as the plan has copies; each takes its group of devices."""
    devices = {"driver": "nvidia", "count": config.group, "capabilities": ["gpu"]}
    service = {
        "image": VLLM_IMAGE,
        "command": ["--model", HUB[config.preset], *arguments],
        "ipc": "host",  # the processes of a group exchange tensors in shared memory
        "environment": {"HF_TOKEN": "${HF_TOKEN:-}"},
        "expose": ["8000"],
        "deploy": {
            "replicas": result.copies,
            "resources": {"reservations": {"devices": [devices]}},
        },
    }
    return yaml.safe_dump({"services": {"model": service}}, sort_keys=False)


def llama_cpp(config: CapacityConfig, result: CapacityResult) -> str:
    """Fetch, convert, round, serve.  llama.cpp shares one context among its places, hence the product."""
    kind, cache = GGUF_WEIGHTS[config.weight_bits], GGUF_CACHE[config.cache_bits]
    context = result.batch * (config.prompt + config.answer)
    whole, model = "model-bf16.gguf", f"model-{kind.lower()}.gguf"
    commands = [
        ["hf", "download", HUB[config.preset], "--local-dir", "weights"],
        ["python", "convert_hf_to_gguf.py", "weights", "--outtype", "bf16", "--outfile", whole],
    ]
    if kind != "BF16":
        commands.append(["llama-quantize", whole, model, kind])
    commands.append([
        "llama-server", "--model", model, "--ctx-size", str(context),
        "--parallel", str(result.batch), "--n-gpu-layers", "999", "--flash-attn", "on",
        "--cache-type-k", cache, "--cache-type-v", cache, "--port", "8080",
    ])  # fmt: skip
    return shell(*commands)


def onnx(config: CapacityConfig) -> str:
    """Export with a cache, then write a few tokens with ONNX Runtime."""
    check_choices(config, {"preset": tuple(HUB)})
    return f'''"""Export the model to ONNX and write a few tokens with ONNX Runtime."""

from optimum.onnxruntime import ORTModelForCausalLM
from transformers import AutoTokenizer

NAME = {HUB[config.preset]!r}

tokenizer = AutoTokenizer.from_pretrained(NAME)
model = ORTModelForCausalLM.from_pretrained(NAME, export=True, use_cache=True)
model.save_pretrained("model")
tokenizer.save_pretrained("model")

inputs = tokenizer("The weather is", return_tensors="pt")
print(tokenizer.decode(model.generate(**inputs, max_new_tokens={min(20, config.answer)})[0]))
'''


def dockerfile(config: CapacityConfig, arguments: list[str]) -> str:
    """vLLM's image with the plan's arguments; weights are fetched when it starts."""
    everywhere = "0.0.0.0"  # nosec B104 # inside a container, whose ports are published by who starts it
    command = json.dumps(["vllm", "serve", HUB[config.preset], *arguments, "--host", everywhere])
    return (
        f"FROM {VLLM_IMAGE}\n"
        "ENV HF_HOME=/models\n"
        "EXPOSE 8000\n"
        'HEALTHCHECK --start-period=10m CMD ["curl", "-f", "http://localhost:8000/health"]\n'
        f"ENTRYPOINT {command}\n"
    )


def form(name: str, text: str) -> str:
    """How this file's form is checked; raises ValueError or SyntaxError if it is not well formed.

    >>> form("plan.json", "{}"), form("serve.sh", "vllm serve 'a model'")
    ('json', 'shell')
    """
    if name.endswith(".json"):
        json.loads(text)
        return "json"
    if name.endswith(".yaml"):
        yaml.safe_load(text)
        return "yaml"
    if name.endswith(".py"):
        ast.parse(text)
        return "python"
    if name.endswith(".sh"):
        shlex.split(text, comments=True)
        return "shell"
    if name.endswith("Dockerfile"):
        wrong = [line for line in text.splitlines() if line.split(" ")[0] not in INSTRUCTIONS]
        if wrong:
            raise ValueError(wrong[0])
        return "dockerfile"
    return "lines"


def packed(made: dict[str, str]) -> bytes:
    """All files as one zip, the same bytes for the same plan."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in made.items():
            entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
            entry.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return buffer.getvalue()


def run(config: CapacityConfig) -> dict[str, str]:
    return files(config, capacity.run(config))
