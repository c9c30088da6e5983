"""Supervised fine-tuning with the Hugging Face libraries: one file, and nothing else of this project.

    pip install torch transformers trl peft datasets bitsandbytes
    python hf_sft.py --model HuggingFaceTB/SmolLM2-135M-Instruct --data my_rows.json

`--model` is a hub id or a folder. `--data` is a JSON list in Alpaca's schema, {"instruction", "input",
"output"}, or the hub id of a data set in that schema. Every line on standard output is one JSON object.
"""

import argparse
import json
import time
from pathlib import Path

import psutil
import torch
from datasets import Dataset, DatasetDict, load_dataset
from peft import (
    AutoPeftModelForCausalLM,
    LoraConfig,
    get_peft_model,
    prepare_model_for_kbit_training,
)
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    DataCollatorForSeq2Seq,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from trl import SFTConfig, SFTTrainer


def tell(event, **values):
    print(json.dumps({"event": event, **values}), flush=True)


def to_chat(row):
    """One row of Alpaca's schema as a question to the assistant and its answer."""
    asked = "\n".join(part for part in (row["instruction"], row.get("input")) if part)
    return {
        "prompt": [{"role": "user", "content": asked}],
        "completion": [{"role": "assistant", "content": row["output"]}],
    }


def load_rows(args) -> DatasetDict:
    """Chats to train on ("train") and chats kept apart ("test")."""
    if Path(args.data).is_file():
        rows = Dataset.from_list(json.loads(Path(args.data).read_text(encoding="utf-8")))
    else:
        rows = load_dataset(args.data, split="train")
    chats = rows.map(to_chat, remove_columns=rows.column_names)
    return chats.train_test_split(test_size=args.eval_rows, seed=args.seed)


def how_to_load(args) -> dict:
    """In 32 bits, or with the matrices in four (NF4, double quantisation)."""
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32,
    )  # fmt: skip
    quantised = {"quantization_config": four_bits} if args.load_4bit else {}
    return {"dtype": torch.float32, **quantised}


def load_model(args):
    """The base model."""
    model = AutoModelForCausalLM.from_pretrained(args.model, **how_to_load(args))
    for module in model.modules():
        # subtle: on CPUs with AVX512-BF16, bitsandbytes 0.50 packs a matrix anew when it is first used
        # without gradients, for an evaluation; from then on no gradient gets through it.
        if hasattr(module, "support_avx512bf16_for_cpu") and not args.repack:
            module.support_avx512bf16_for_cpu = False
    return model


def to_ids(chat, tokenizer):
    """What TRL does with a chat, by hand: everything is read, only the answer is asked for."""
    prompt = tokenizer.apply_chat_template(
        chat["prompt"], add_generation_prompt=True, return_dict=False
    )
    whole = tokenizer.apply_chat_template(chat["prompt"] + chat["completion"], return_dict=False)
    return {"input_ids": whole, "labels": [-100] * len(prompt) + whole[len(prompt) :]}


def how_to_tune(args) -> LoraConfig | None:
    """LoRA beside every linear layer but the head; None: all weights are trained."""
    if not args.lora_rank:
        return None
    return LoraConfig(
        r=args.lora_rank, lora_alpha=2 * args.lora_rank, target_modules="all-linear",
        task_type="CAUSAL_LM",
    )  # fmt: skip


def make_trainer(args, model, tokenizer, rows: DatasetDict) -> Trainer:
    settings = {
        "output_dir": args.out, "max_steps": args.steps, "learning_rate": args.learning_rate,
        "per_device_train_batch_size": args.batch_size, "per_device_eval_batch_size": args.batch_size,
        "lr_scheduler_type": "cosine", "logging_steps": 1,
        "eval_strategy": "steps", "eval_steps": args.eval_steps or args.steps,
        "save_strategy": "no", "report_to": "none", "disable_tqdm": True, "seed": args.seed,
        "use_cpu": not torch.cuda.is_available(),
        # TRL turns both on by itself: less memory, more time, and another arithmetic.
        "gradient_checkpointing": False, "bf16": False,
    }  # fmt: skip
    lora = how_to_tune(args)
    if args.trainer == "trl":  # a prompt and a completion: TRL asks for the completion alone
        settings = SFTConfig(**settings, max_length=args.max_length)
        trainer = SFTTrainer(
            model, settings, train_dataset=rows["train"], eval_dataset=rows["test"],
            processing_class=tokenizer, peft_config=lora,
        )  # fmt: skip
    else:
        if lora:
            kbit = prepare_model_for_kbit_training(model, False) if args.load_4bit else model
            model = get_peft_model(kbit, lora)
        ids = rows.map(
            to_ids, fn_kwargs={"tokenizer": tokenizer}, remove_columns=list(rows["train"].features)
        )
        trainer = Trainer(
            model, TrainingArguments(**settings), train_dataset=ids["train"],
            eval_dataset=ids["test"], data_collator=DataCollatorForSeq2Seq(tokenizer),
        )  # fmt: skip
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Report())
    return trainer


class Report(TrainerCallback):
    """Tells what the trainer logs, with the time that the step took and the memory in use."""

    def on_step_begin(self, *_, **__):
        self.began = time.perf_counter(), time.process_time()

    def on_step_end(self, *_, **__):
        wall, cpu = self.began
        self.took = {
            "seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu,
            "rss_bytes": psutil.Process().memory_info().rss,
        }  # fmt: skip

    def on_log(self, args, state, control, logs, **_):
        tell("log", step=state.global_step, **logs, **(self.took if "loss" in logs else {}))


def answer(model, tokenizer, prompt, new_tokens) -> str:
    chat = [{"role": "user", "content": prompt}]
    inputs = tokenizer.apply_chat_template(
        chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    said = model.eval().generate(**inputs, max_new_tokens=new_tokens, do_sample=False)
    return tokenizer.decode(said[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)


def main(args):
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    rows, model = load_rows(args), load_model(args)
    base_bytes = model.get_memory_footprint()  # subtle: of four-bit weights, without their scales
    before = [answer(model, tokenizer, prompt, args.new_tokens) for prompt in args.prompt]
    trainer = make_trainer(args, model, tokenizer, rows)
    parameters = list(trainer.model.parameters())
    tell(
        "ready", rows=rows.num_rows, answers=before, base_bytes=base_bytes,
        trained=sum(p.numel() for p in parameters if p.requires_grad),
    )  # fmt: skip
    trainer.evaluate()  # `Report` tells it; after so many steps, `train` asks again
    trainer.train()
    trainer.model.save_pretrained(args.out)  # safetensors: the adapter, or all weights without LoRA
    tokenizer.save_pretrained(args.out)
    tell("saved", files={path.name: path.stat().st_size for path in Path(args.out).glob("*.*")})
    load = AutoPeftModelForCausalLM if args.lora_rank else AutoModelForCausalLM
    reloaded = load.from_pretrained(args.out, **how_to_load(args))  # what lies on disk
    after = [answer(reloaded, tokenizer, prompt, args.new_tokens) for prompt in args.prompt]
    tell("done", answers=after)


def read_args(argv=None):
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--model", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--data", default="tatsu-lab/alpaca")
    parser.add_argument("--out", default="tuned")
    parser.add_argument("--trainer", choices=("trl", "plain"), default="trl")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--lora-rank", type=int, default=8, help="0: train all weights")
    parser.add_argument("--load-4bit", action="store_true", help="QLoRA: base in NF4")
    parser.add_argument(
        "--repack", action="store_true", help="see load_model; spoils QLoRA on CPUs"
    )
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--eval-rows", type=int, default=8)
    parser.add_argument("--eval-steps", type=int, default=0, help="0: after the last step")
    parser.add_argument("--prompt", nargs="*", default=[], help="answered before and after")
    parser.add_argument("--new-tokens", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


if __name__ == "__main__":
    main(read_args())
