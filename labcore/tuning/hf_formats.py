"""One model in six number formats, by `transformers` and `bitsandbytes`: what it weighs and what it says.

Run as a script: `python hf_formats.py --model FOLDER --data rows.json`; one JSON line a format.
"""

import argparse
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForSeq2Seq,
)

from labcore.tuning.hf_sft import tell, to_chat, to_ids

FORMATS = ("fp32", "bf16", "int8", "fp4", "nf4", "nf4-double")
PLAIN = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load(folder: str, name: str):
    """The model with its matrices in one of `FORMATS`; embeddings and norms stay as they are."""
    if name in PLAIN:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=PLAIN[name])
    if name == "int8":
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type=name[:3],
            bnb_4bit_use_double_quant=name.endswith("double"), bnb_4bit_compute_dtype=torch.float32,
        )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=config
    )
    for module in model.modules():  # see `hf_sft.load_model`
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model


def held_bytes(model) -> dict[str, int]:
    """Bytes that are really held: matrices of the blocks, their scales, and all the rest.

    `get_memory_footprint` leaves the scales of four-bit weights out.
    """
    parts = {"matrices": 0, "scales": 0, "rest": 0}
    for name, weight in model.named_parameters():
        inside = ".layers." in name and name.endswith("proj.weight")
        parts["matrices" if inside else "rest"] += weight.numel() * weight.element_size()
        parts["scales"] += sum(part.numel() * part.element_size() for part in scales_of(weight))
    return parts


def scales_of(weight: Tensor) -> list[Tensor]:
    """What a quantised weight needs beside its codes; a table shared by all matrices is not counted."""
    state = getattr(weight, "quant_state", None)
    if state is not None:
        return [state.absmax, *([state.state2.absmax] if state.nested else [])]
    return [weight.SCB] if getattr(weight, "SCB", None) is not None else []


@torch.no_grad()
def said(model, batches: list[dict[str, Tensor]]) -> tuple[Tensor, Tensor]:
    """Log-probabilities wherever an answer's token is asked for, and these tokens.  -> (A, V), (A,)"""
    logits, wanted = [], []
    for batch in batches:
        out = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        asked = batch["labels"][:, 1:] != -100
        logits.append(out[:, :-1][asked].float())
        wanted.append(batch["labels"][:, 1:][asked])
    return torch.cat(logits).log_softmax(dim=1), torch.cat(wanted)


def main(args) -> None:
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    rows = json.loads(Path(args.data).read_text(encoding="utf-8"))
    ids = [to_ids(to_chat(row), tokenizer) for row in rows]
    collate = DataCollatorForSeq2Seq(tokenizer)
    batches = [collate(ids[start : start + 4]) for start in range(0, len(ids), 4)]
    reference = None
    for name in FORMATS:
        model = load(args.model, name)
        held = held_bytes(model)  # before it is used: int8 then moves its scales elsewhere
        started = time.process_time()
        logprobs, wanted = said(model, batches)
        seconds = time.process_time() - started
        reference = logprobs if reference is None else reference
        tell(
            "format", name=name, **held, counted=model.get_memory_footprint(),
            loss=F.nll_loss(logprobs, wanted).item(), cpu_seconds=seconds, tokens=len(wanted),
            divergence=F.kl_div(logprobs, reference, log_target=True, reduction="batchmean").item(),
            agreement=(logprobs.argmax(1) == reference.argmax(1)).double().mean().item(),
        )  # fmt: skip
        del model


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    parser.add_argument("--data")
    main(parser.parse_args())
