"""The plan's files: well formed for the tools that read them, and saying what the plan says."""

import io
import json
import shlex
import subprocess
import zipfile

import pytest
import yaml

from labcore.errors import LabInputError
from labcore.serving import capacity, deployment
from labcore.serving.capacity import CapacityConfig

CONFIGS = (
    CapacityConfig(),
    CapacityConfig("llama-3-70b", group=4, weight_bits=8, cache_bits=8),
    CapacityConfig("gpt2", prompt=500, answer=100, weight_bits=4, cache_bits=4),
)


def words_of(script: str) -> list[str]:
    """The last command of a script, as the shell splits it."""
    return shlex.split(script.replace("\\\n", " ").splitlines()[-1])


@pytest.mark.parametrize("config", CONFIGS)
def test_every_file_is_well_formed(config):
    made = deployment.run(config)
    forms = [deployment.form(name, text) for name, text in made.items()]
    assert sorted(forms) == ["dockerfile", "json", "lines", "python", "shell", "shell", "yaml"]
    for name, text in made.items():
        if name.endswith(".sh"):  # a shell's own opinion
            subprocess.run(["sh", "-n"], input=text, text=True, check=True)
        if name.endswith(".py"):
            compile(text, name, "exec")


@pytest.mark.parametrize("config", CONFIGS)
def test_the_files_say_what_the_plan_says(config):
    result, made = capacity.run(config), deployment.run(config)
    words = words_of(made["vllm/serve.sh"])
    told = dict(zip(words[3::2], words[4::2], strict=True))
    assert words[:3] == ["vllm", "serve", deployment.HUB[config.preset]]
    assert told["--max-num-seqs"] == str(result.batch)
    assert told["--tensor-parallel-size"] == str(config.group)
    assert told["--max-model-len"] == str(config.prompt + config.answer)
    service = yaml.safe_load(made["vllm/compose.yaml"])["services"]["model"]
    assert service["deploy"]["replicas"] == result.copies
    assert service["command"][2:] == words[3:-2]  # all but the port
    entry = made["container/Dockerfile"].splitlines()[-1].removeprefix("ENTRYPOINT ")
    assert json.loads(entry)[3:-2] == words[3:-2]
    words = words_of(made["llama.cpp/serve.sh"])
    told = dict(zip(words[1::2], words[2::2], strict=True))
    assert int(told["--ctx-size"]) == result.batch * (config.prompt + config.answer)
    assert json.loads(made["plan.json"])["found"]["devices"] == result.devices


def test_words_that_a_shell_would_split_are_quoted():
    script = deployment.shell(["serve", "a model; rm x", "--name", "it's"])
    assert words_of(script) == ["serve", "a model; rm x", "--name", "it's"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{"), ("a.yaml", "a: [1"), ("a.py", "def"), ("a.sh", "echo 'x"),
        ("Dockerfile", "FORM x\n"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_well_formed_is_found(name, text):
    with pytest.raises((ValueError, SyntaxError, yaml.YAMLError)):
        deployment.form(name, text)


def test_the_zip_holds_the_files_and_is_the_same_each_time():
    made = deployment.run(CapacityConfig())
    packed = deployment.packed(made)
    assert packed == deployment.packed(made)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {name: archive.read(name).decode() for name in archive.namelist()} == made


def test_no_weights_and_no_plan_give_no_files():
    for config, field in (
        (CapacityConfig("gpt3-175b", "b200", 4), "preset"), (CapacityConfig(next_ms=1.0), "batch"),
    ):  # fmt: skip
        with pytest.raises(LabInputError) as error:
            deployment.run(config)
        assert error.value.field == field
    assert set(deployment.HUB) == set(capacity.MODELS) - {"gpt3-175b"}
