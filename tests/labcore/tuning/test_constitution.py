"""Self-critique: principles by hand, the pipeline with a stub, many chats at once, and the recording."""

import pytest
import torch

from app import results
from labcore import zoo
from labcore.errors import LabInputError
from labcore.events import drain
from labcore.model.config import ModelConfig
from labcore.model.transformer import Transformer
from labcore.tuning import constitution as lab
from labcore.tuning.constitution import ConstitutionStudy, CritiqueConfig
from labcore.tuning.principles import PRINCIPLES, has_no_digits, is_short, says_unsure, sentences


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0), ("One.", 1), ("One. Two! Three?", 3), ("It is 3.5 km away.", 1), ("No end", 1),
        ("第一句。第二句！", 2), ("1. a\n2. b\n3. c", 3), ("He said “stop.” Then he went.", 2),
    ],
)  # fmt: skip
def test_sentences_counted_by_hand(text, count):
    assert sentences(text) == count


def test_principles_by_hand():
    assert is_short("Yes. No.")
    assert not is_short("Yes. No. Well.")
    assert not is_short("")
    assert says_unsure("I am not sure about it.")
    assert says_unsure("我不确定。")
    assert not says_unsure("It is so.")
    assert has_no_digits("Three eggs.")
    assert not has_no_digits("3 eggs.")


def test_an_answer_that_only_repeats_the_question_is_about_nothing():
    question = "什么是质数？"
    assert not lab.is_about("什么是质数？", "zh", question)
    assert lab.is_about("质数只能被一和自己整除。", "zh", question)
    assert not lab.is_about("The answer has at most two sentences.", "en", lab.QUESTIONS["en"][0])


def test_each_stage_reads_what_the_stages_before_have_said(monkeypatch):
    """A stub that says the number of its turn; prompts hold the texts of earlier turns."""
    read = []

    def write(model, tokenizer, prompts, most_tokens):
        read.append(prompts[0])
        return [f"said-{len(read)}."]

    loaded = zoo.LoadedModel(None, None, None)
    monkeypatch.setattr(lab.zoo, "load", lambda name: loaded)
    monkeypatch.setattr(lab, "write", write)
    result = lab.run(CritiqueConfig("Why?", "short"))
    assert [stage.name for stage in result.stages] == list(lab.STAGES)
    assert read[0] == "Why?"
    assert "said-1." in read[1]
    assert PRINCIPLES["short"].rule["en"] in read[1]
    assert "said-1." in read[2]
    assert "said-2." in read[2]
    assert [stage.keeps for stage in result.stages] == [True, None, True]
    own = drain(lab.critique(CritiqueConfig("Why?", "own", "Be kind.")))
    assert [stage.keeps for stage in own.stages] == [None, None, None]
    assert "Be kind." in own.stages[1].prompt


class Letters:
    """A tokenizer of single bytes; a chat is the text and nothing around it."""

    eos_id = 0

    def chat_ids(self, text: str) -> list[int]:
        return [1 + byte % 60 for byte in text.encode()]

    def decode(self, ids) -> str:
        return " ".join(map(str, ids))


def test_several_chats_at_once_say_what_each_would_say_alone():
    """Left padding changes nothing: RoPE knows distances only, and the padding is masked."""
    config = ModelConfig(vocab_size=64, hidden_size=32, num_layers=2)
    model = Transformer(config, torch.Generator().manual_seed(3)).eval()
    prompts = ["a", "why is it so", "hm, no"]
    together = lab.write(model, Letters(), prompts, 8)
    assert together == [lab.write(model, Letters(), [one], 8)[0] for one in prompts]


@pytest.mark.parametrize(
    "bad",
    [
        {"principle": "gold"},
        {"language": "fr"},
        {"question": "  "},
        {"principle": "own", "rule": ""},
    ],
)
def test_settings_that_make_no_sense_are_refused(bad):
    with pytest.raises(LabInputError):
        CritiqueConfig(**bad)


# What was recorded.


@pytest.fixture(scope="module")
def study() -> ConstitutionStudy:
    path = results.RECORDINGS / "safety-constitution.safetensors"
    return results.load(path, ConstitutionStudy).result


def test_what_was_recorded_is_judged_by_todays_principles(study):
    assert len(study.rows) == 2 * len(PRINCIPLES) * 8
    for row in study.rows:
        for stage, text in row.texts.items():
            assert row.keeps[stage] == PRINCIPLES[row.principle].keeps(text)
            assert row.answers[stage] == lab.is_about(text, row.language, row.question)


def test_revisions_keep_the_letter_and_lose_the_question(study):
    """More of them keep the principle, but no more than without one still speak of what was asked."""
    first, revised, again = (
        study.counts("en", "short", s) for s in ("answer", "revision", "again")
    )
    assert revised[0] > first[0]
    assert revised[1] < revised[0]
    assert revised[1] <= again[1]
    assert (
        study.counts("en", "no_digits", "revision")[1]
        < study.counts("en", "no_digits", "answer")[1]
    )
