"""Embeddings beside the transformers library, fusion by hand, and what is found."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from app import results
from labcore import zoo
from labcore.errors import LabInputError
from labcore.retrieval import embedding, finding
from labcore.retrieval.finding import FindConfig, fused, judgement, ranked
from labcore.retrieval.finding_study import FindingStudy, resampled
from labcore.retrieval.library import Document, bundled
from labcore.zoo import cache

TEXTS = [
    "A cat sat on the mat.",
    "Kittens rest on rugs",
    "The interest rate was raised by the bank today.",
]


@torch.no_grad()
def test_vectors_equal_those_of_transformers_with_the_published_recipe():
    """The model card: mean of the token vectors by attention mask, then length one; padding has no say."""
    transformers = pytest.importorskip("transformers")
    zoo.load(embedding.MODEL)
    folder = cache.cache_root() / "models" / embedding.MODEL
    model = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
    hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"][..., None].float()
    expected = F.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    np.testing.assert_allclose(embedding.embed(TEXTS), expected, atol=2e-5)


def test_a_text_has_the_same_vector_in_any_company():
    alone = embedding.encode(TEXTS[:1])[0]
    together = embedding.encode([*TEXTS, "word " * 400])
    np.testing.assert_allclose(alone, together[0], atol=2e-5)
    assert [round(float(np.linalg.norm(one)), 4) for one in together] == [1.0] * 4
    assert embedding.embed([]).shape == (0, 384)
    near, far = embedding.embed(TEXTS)[1:] @ alone
    assert near > far + 0.2  # no word is shared with either


def test_mean_pooling_by_hand():
    """Tokens (3, 0) and (0, 4), the third is padding: mean (1.5, 2), length 2.5."""
    hidden = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
    real = torch.tensor([[True, True, False]])
    assert embedding.mean_pooled(hidden, real)[0].tolist() == pytest.approx([0.6, 0.8])


def test_fusion_by_hand():
    """a: 1/61 + 1/63; b: 1/62 + 1/61; c: 1/62 alone; d: 1/63 alone."""
    scores = fused([["a", "b", "d"], ["b", "c", "a"]])
    assert scores == pytest.approx(
        {"a": 1 / 61 + 1 / 63, "b": 1 / 62 + 1 / 61, "c": 1 / 62, "d": 1 / 63}
    )
    assert fused([]) == fused([[]]) == {}


def test_equal_scores_keep_their_order_and_nothing_is_ranked_for_nothing():
    assert ranked(np.array([1.0, 2.0, 1.0, 2.0])) == [1, 3, 0, 2]
    assert ranked(np.array([0.0, 0.5, 0.0]), above=0.0) == [1]


def test_judgement_by_hand():
    """Wanted are 7 and 8, found in places 2 and 4; one is enough for recall."""
    assert judgement([5, 7, 6, 8], {7, 8}, 3) == pytest.approx(
        {"recall": 1.0, "reciprocal": 0.5, "ndcg": (1 / np.log2(3)) / (1 + 1 / np.log2(3))}
    )
    assert set(judgement([1, 2], set(), 3).values()) == {0.0}


OWN = (
    Document("disk", "Error E-4071 means that the disk is full."),
    Document("fan", "Error E-4017 means that the fan has stopped."),
    Document("<script>alert(1)</script>", "<img src=x onerror=alert(1)> ](javascript:alert(1))"),
)


def test_own_documents_are_searched_and_nothing_in_them_is_changed():
    result = finding.run(FindConfig("What does E-4017 mean?", "own", OWN, top=3))
    assert result.chunks[result.found["bm25"][0].chunk].text == OWN[1].text
    assert result.found["bm25"][0].words == ("e", "4017")
    assert not result.known
    assert {result.chunks[one.chunk].text for one in result.found["minilm"]} == {
        one.text for one in OWN
    }
    for method, places in result.places.items():
        for place, one in enumerate(result.found[method], 1):
            assert places[one.chunk] == place


def test_without_a_shared_word_bm25_finds_nothing_and_the_fusion_is_minilm_alone():
    result = finding.run(FindConfig("zzz", "own", OWN))
    assert result.found["bm25"] == ()
    order = {method: [one.chunk for one in result.found[method]] for method in result.found}
    assert order["fused"] == order["minilm"]
    assert set(finding.run(FindConfig("zzz", "own", OWN, meaning=False)).found) == {"bm25"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"question": " "}, "question"),
        ({"question": "x" * 301}, "question"),
        ({"library": "fr"}, "library"),
        ({"library": "own"}, "own"),
        ({"chunk_words": 10, "overlap": 10}, "overlap"),
        ({"chunk_words": 4}, "chunk_words"),
        ({"top": 0}, "top"),
    ],
)
def test_what_cannot_be_searched_is_refused(change, field):
    with pytest.raises(LabInputError) as refused:
        replace(FindConfig(), **change)
    assert refused.value.field == field


def test_the_recorded_study_is_what_the_code_finds_today():
    recorded = results.load(
        results.RECORDINGS / "retrieval-finding.safetensors", FindingStudy
    ).result
    judged = finding.judge(FindConfig(library="en", chunk_words=80, overlap=20))
    at = recorded.sizes.tolist().index(80)
    for method, values in judged.recall.items():
        assert values.mean() == pytest.approx(recorded.recall[f"en-{method}"][at], abs=0.03)
    texts = [document.text for document in bundled("zh").documents]
    assert embedding.unknown_share(texts) == pytest.approx(recorded.unknown["zh"])


def test_the_bootstrap_of_equal_values_has_no_width_and_knows_the_binomial():
    """24 questions, half of them found: standard error 0.102, so 95 % lie within about ±0.2."""
    rows = np.stack([np.ones(24), np.repeat([0.0, 1.0], 12)])
    found = resampled(rows, np.random.default_rng(0))
    assert found[0].tolist() == [1.0, 1.0]
    assert found[1] == pytest.approx([0.3, 0.7], abs=0.03)
