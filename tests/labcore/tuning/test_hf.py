"""The script run for real on a small model; our code held to the ecosystem's; the trap; what was recorded."""

import ast
import io
import json
import socket
import time
import zipfile

import numpy as np
import psutil
import pytest
import safetensors.torch
import torch

from app import results
from labcore import zoo
from labcore.errors import LabInputError
from labcore.model.published import from_hf
from labcore.tuning import hf_beside, hf_models, hf_run, hf_sft, hf_study, instructions, nf4
from labcore.tuning.chat import labels, published_chat
from labcore.tuning.hf_run import HFConfig, HFResult
from labcore.tuning.script_process import lines
from labcore.zoo.published_tokenizer import PublishedTokenizer

QUICK = HFConfig(model=hf_models.SMALL, steps=2, new_tokens=3, questions=("Why?",))


def recorded(name: str, kind: type):
    return results.load(results.RECORDINGS / f"hf-{name}.safetensors", kind).result


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return hf_models.folder_of(hf_models.SMALL, tmp_path_factory.mktemp("small"))


# Models in folders.


def load_ours(folder):
    config = json.loads((folder / "config.json").read_text())
    return from_hf(config, safetensors.torch.load_file(folder / "model.safetensors"))


def assert_same_logits(folder, vocab):
    from transformers import AutoModelForCausalLM

    tokens = torch.randint(vocab, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(folder)(input_ids=tokens).logits
        ours = load_ours(folder)(tokens).logits
    assert torch.allclose(ours, theirs, atol=2e-3, rtol=1e-4)
    return ours - theirs


def test_the_small_model_says_the_same_in_transformers(small):
    assert assert_same_logits(small, 512).abs().max() < 1e-5


def test_the_zoos_folder_is_what_transformers_reads(tmp_path):
    """The real model and its tokenizer, special tokens in the template included."""
    from transformers import AutoTokenizer

    folder = hf_models.folder_of(hf_models.REAL, tmp_path)
    assert_same_logits(folder, 49152)
    theirs = AutoTokenizer.from_pretrained(folder).apply_chat_template(
        [{"role": "user", "content": "Why do 12 cats purr?"}], add_generation_prompt=True,
        return_dict=False,
    )  # fmt: skip
    assert theirs == zoo.load(hf_models.REAL).tokenizer.chat_ids("Why do 12 cats purr?")


# The script.


def test_the_script_needs_nothing_of_this_project():
    tree = ast.parse(hf_run.SCRIPT.read_text(encoding="utf-8"))
    modules = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
    }
    assert not [name for name in modules if name.startswith(("labcore", "app"))]


@pytest.mark.parametrize(
    "config",
    [HFConfig(), HFConfig(trainer="plain", load_4bit=True, lora_rank=2, learning_rate=0.0003, steps=4,
                          eval_steps=2, new_tokens=5, questions=("a b", "c"), seed=3)],
)  # fmt: skip
def test_the_command_line_says_what_the_config_says(config):
    args = hf_sft.read_args(hf_run.arguments(config, "m", "d", "o"))
    for name in ("trainer", "load_4bit", "lora_rank", "learning_rate", "steps", "eval_steps",
                 "new_tokens", "seed", "repack"):  # fmt: skip
        assert getattr(args, name) == getattr(config, name)
    assert tuple(args.prompt) == config.questions
    assert args.eval_rows == hf_run.EVAL_ROWS


@pytest.fixture(scope="module")
def ran():
    events = []
    run = hf_run.fine_tune(QUICK)
    while True:
        try:
            events.append(next(run))
        except StopIteration as end:
            return events, end.value


def test_a_run_tells_its_steps_and_leaves_an_adapter(ran):
    events, result = ran
    assert [event.event for event in events if event.event][-2:] == ["saved", "done"]
    shares = [event.share for event in events]
    assert shares == sorted(shares)
    assert len(result.loss) == 2
    assert result.eval_step.tolist() == [0, 2]
    assert result.rows["test"] == hf_run.EVAL_ROWS
    # Seven matrices in each of two blocks; A is (8, I), B is (O, 8).
    assert result.trained == 2 * 8 * (2 * (64 + 64) + 2 * (64 + 32) + 3 * (64 + 128))
    assert result.files["adapter_model.safetensors"] > 4 * result.trained
    assert not [name for name in result.files if name.endswith((".bin", ".pt", ".pkl"))]


def test_the_adapter_taken_home_is_what_was_saved_and_names_no_folder(ran):
    with zipfile.ZipFile(io.BytesIO(hf_run.adapter_bytes(ran[1]))) as packed:
        assert sorted(packed.namelist()) == ["adapter_config.json", "adapter_model.safetensors"]
        settings = json.loads(packed.read("adapter_config.json"))
        weights = safetensors.torch.load(packed.read("adapter_model.safetensors"))
    assert settings["base_model_name_or_path"] == hf_models.SMALL
    assert settings["r"] == 8
    assert sum(weight.numel() for weight in weights.values()) == ran[1].trained


def test_nobody_is_left_behind_when_a_run_is_given_up(tmp_path):
    """The script would run for an hour; its generator is closed after its first line."""
    script = tmp_path / "script.py"
    script.write_text("import time\nprint('{\"event\": 1}')\ntime.sleep(3600)\n")
    told = lines(script, [], tmp_path)
    assert next(one for one in told if one) == {"event": 1}
    mine = psutil.Process().children(recursive=True)
    told.close()
    assert mine
    assert not any(process.is_running() for process in mine)


def test_a_script_waits_until_it_is_asked_to_go_on(tmp_path):
    """What a pause is: it writes its second file only after the first line has been taken up again."""
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\nprint('{\"step\": 1}')\nPath('second').touch()\nprint('{\"step\": 2}')\n"
    )
    told = lines(script, [], tmp_path)
    assert next(one for one in told if one)["step"] == 1
    time.sleep(0.5)
    assert not (tmp_path / "second").exists()
    assert next(one for one in told if one)["step"] == 2
    assert (tmp_path / "second").exists()
    assert list(filter(None, told)) == []


def test_a_script_that_breaks_says_why(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("raise ValueError('no such row')\n")
    with pytest.raises(RuntimeError, match="no such row"):
        list(lines(script, [], tmp_path))


@pytest.mark.parametrize(
    "bad",
    [{"model": "gpt-5"}, {"trainer": "x"}, {"lora_rank": 3}, {"steps": 0}, {"learning_rate": 1.0},
     {"steps": 12, "eval_steps": 5}, {"questions": ("x" * 301,)}, {"questions": ("x",) * 9},
     {"own_rows": "x" * 200_001}],
)  # fmt: skip
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(LabInputError):
        HFConfig(**bad)


def test_too_few_rows_of_ones_own_are_refused():
    row = {"instruction": "a", "output": "b"}
    assert len(hf_run.rows_of(HFConfig(own_rows=json.dumps([row] * 20)))) == 20
    for rows in ([row] * 19, "nonsense"):
        with pytest.raises(LabInputError):
            hf_run.rows_of(HFConfig(own_rows=json.dumps(rows)))


# Ours and theirs.


@pytest.mark.parametrize("trainer", hf_run.TRAINERS)
def test_loss_and_gradients_are_the_trainers(trainer):
    result = hf_beside.run(hf_beside.BesideConfig(hf_models.SMALL, trainer))
    assert result.same_ids
    assert result.our_loss == pytest.approx(result.their_loss, abs=1e-5)
    assert (result.our_labels == result.their_labels).all()
    assert result.apart.max() < 1e-4
    assert len(result.names) == 14


def test_the_labels_of_instruction_tuning_leave_out_the_last_line_break_alone(small):
    from transformers import AutoTokenizer

    ours = PublishedTokenizer.from_folder(small)
    for row in instructions.load("en")[:12]:
        chat = hf_sft.to_chat(
            {"instruction": row.instruction, "input": row.input, "output": row.output}
        )
        theirs = hf_sft.to_ids(chat, AutoTokenizer.from_pretrained(small))
        conversation = published_chat(row, ours)
        assert list(conversation.ids) == theirs["input_ids"]
        assert labels(conversation)[:-1] == theirs["labels"][:-1]
        assert labels(conversation)[-1] == -100
        assert ours.decode(theirs["labels"][-1:]) == "\n"


def test_nothing_is_looked_up_in_any_network(monkeypatch):
    """TRL would report its use in a thread of its own, which has time enough for it here."""
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *what, **_: asked.append(what) or [])
    hf_beside.run(hf_beside.BesideConfig(hf_models.SMALL, "trl"))
    time.sleep(0.5)
    assert asked == []


def test_a_label_off_by_one_would_be_noticed(small):
    """The negative control: the same rows with targets one place late cost something else."""
    batch = hf_beside.our_batch(instructions.load("en")[:4], PublishedTokenizer.from_folder(small))
    late = hf_beside.Batch(batch.tokens, batch.targets.roll(1, dims=1), batch.padding_mask)
    model = load_ours(small)
    with torch.no_grad():
        costs = [hf_beside.our_loss(model, one).item() for one in (batch, late)]
    assert abs(costs[0] - costs[1]) > 1e-3


# Four bits.


def four_bit_gradients(folder, repack):
    """LoRA's gradients on an NF4 base after one evaluation, and on its values in 32 bits."""
    import bitsandbytes
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    args = hf_sft.read_args(["--model", str(folder), "--load-4bit", *(["--repack"] * repack)])
    packed, plain = hf_sft.load_model(args), AutoModelForCausalLM.from_pretrained(folder)
    values = dict(plain.named_parameters())
    for name, weight in packed.named_parameters():
        if isinstance(weight, bitsandbytes.nn.Params4bit):
            value = bitsandbytes.functional.dequantize_4bit(weight.data, weight.quant_state)
            values[name].data.copy_(value)
    tokens = torch.arange(40).view(2, 20)
    with torch.no_grad():
        packed.eval()(input_ids=tokens)
    found = []
    for model in (packed, plain):
        lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
        model = get_peft_model(model, lora).train()
        generator = torch.Generator().manual_seed(1)
        for name, weight in model.named_parameters():
            if "lora" in name:
                weight.data.copy_(0.02 * torch.randn(weight.shape, generator=generator))
        model(input_ids=tokens, labels=tokens).loss.backward()
        found.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    return found


def test_a_gradient_through_four_bits_is_the_gradient_through_their_values(small):
    """And it reaches LoRA alone."""
    packed, plain = four_bit_gradients(small, repack=False)
    assert packed.keys() == plain.keys()
    assert all("lora" in name for name in packed)
    for name, gradient in plain.items():
        assert (packed[name] - gradient).norm() < 0.02 * gradient.norm(), name


def test_the_trap_is_there_where_the_processor_has_it(small):
    """The negative control of the test above: packed by an evaluation, most of the gradient is gone."""
    from bitsandbytes.functional import has_avx512bf16

    packed, plain = four_bit_gradients(small, repack=True)
    first = next(name for name in plain if ".0.self_attn.q_proj.lora_B" in name)
    share = float(packed[first].norm() / plain[first].norm())
    assert share < 0.5 if has_avx512bf16() else share == pytest.approx(1, abs=0.02)


# What was recorded.


def test_the_default_run_was_recorded_as_the_page_opens():
    result = recorded("default", HFResult)
    assert result.config == HFConfig()
    assert result.eval_loss[-1] < result.eval_loss[0] - 0.2
    assert len(result.after[0].split()) < len(result.before[0].split()) / 2


def test_three_seeds_learn_and_the_trapped_arm_hardly():
    study = recorded("study", hf_study.Study)
    fallen = {name: arm.eval_loss[:, 0] - arm.eval_loss[:, -1] for name, arm in study.arms.items()}
    assert len(study.seeds) == 3
    assert (fallen["lora"] > 0.2).all()
    assert (fallen["qlora"] > 0.2).all()
    assert fallen["repacked"].max() < 0.5 * fallen["qlora"].min()
    gradients = {name: arm.grad_norm[:, 0] for name, arm in study.arms.items()}
    assert (gradients["repacked"] < 0.5 * gradients["qlora"]).all()
    # What NF4 costs before any training, in every seed's rows kept apart.
    assert (study.arms["qlora"].eval_loss[:, 0] > study.arms["lora"].eval_loss[:, 0]).all()


def test_the_formats_hold_the_bytes_that_were_derived():
    rows = {row.name: row for row in recorded("formats", hf_study.Formats).rows}
    weights = rows["fp32"].matrices / 4
    assert 8 * rows["bf16"].matrices / weights == 16
    for name, double in (("nf4", False), ("nf4-double", True)):
        bits = 8 * (rows[name].matrices + rows[name].scales) / weights
        assert bits == pytest.approx(nf4.bits_per_weight(64, double), rel=1e-4)
    errors = [rows[name].divergence for name in ("fp32", "bf16", "int8", "nf4", "fp4")]
    assert errors == sorted(errors)


def test_both_codes_agreed_on_the_real_model():
    result = recorded("beside", hf_beside.BesideResult)
    assert result.same_ids
    assert result.our_loss == pytest.approx(result.their_loss, abs=1e-5)
    assert result.apart.max() < 1e-3
    assert len(result.names) == 7 * 30


def test_the_same_seed_runs_the_same_way():
    """Two processes on two occasions, of twelve steps and of six: alike while their schedules are."""
    default, study = recorded("default", HFResult), recorded("study", hf_study.Study)
    np.testing.assert_allclose(study.arms["lora"].loss[0, :2], default.loss[:2], rtol=1e-5)
