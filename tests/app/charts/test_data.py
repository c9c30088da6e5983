"""Pictures of the data pipeline hold the numbers of their results."""

import numpy as np
import pytest

from app.charts import data as charts
from app.i18n import Words
from labcore.pretraining import pipeline
from labcore.pretraining.document_leak import LeakResult
from labcore.pretraining.packing_study import PackingResult
from labcore.pretraining.pipeline import PipelineConfig, SourceConfig
from labcore.text.packing import PackingReport

TEXT = Words("en", "data")


@pytest.fixture(scope="module")
def result():
    return pipeline.run(PipelineConfig(SourceConfig(kilobytes=20)))


def test_the_funnels_bars_are_what_entered_each_stage(result):
    """Kept, planted and dropped of a stage add up to what it was given."""
    table = charts.funnel(result, TEXT).data()
    sums = table.drop(columns=table.columns[0]).sum(axis=1).tolist()
    assert sums == [len(stage.entered) for stage in result.stages]


def test_every_planted_document_stands_in_the_picture_of_their_fates(result):
    table = charts.planted_fate(result, pipeline.planted.KINDS, TEXT).data()
    planted = sum(bool(document.planted) for document in result.documents)
    assert table.drop(columns=table.columns[0]).to_numpy().sum() == planted


def test_the_histogram_counts_every_document_even_beyond_its_edge():
    """Four values, one of them far out: it is counted in the last bar."""
    values = {"zh": np.array([0.0, 0.5, 0.5]), "en": np.array([9.0])}
    table = charts.signal_histogram(values, 0.3, "symbols", TEXT).data()
    assert table.iloc[:, 1:].to_numpy().sum() == 4
    assert table.iloc[-1, -1] == 1


@pytest.mark.parametrize(("size", "columns"), [(16, 16), (90, 90), (128, 64), (1024, 86)])
def test_long_rows_are_thinned_and_padding_stays_empty(size, columns):
    """1,024 positions at every twelfth are 86; half of the row is padding."""
    documents = np.full((3, size), -1)
    documents[:, : size // 2] = 0
    report = PackingReport(3, 3 * size, 1, 0.5, 0.0, 0.0, 0.0)
    packed = PackingResult(np.array([1]), [report] * 3, documents, np.ones((1, 1), bool))
    table = charts.rows(packed, TEXT).data()
    values = table.iloc[:, 1:].to_numpy()
    assert values.shape == (3, columns)
    assert (values == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_documents_beside_each_other_differ_in_shade():
    shades = charts.DOCUMENT_SHADES
    assert (np.abs(np.diff(np.append(shades, shades[0]))) >= 1).all()
    assert sorted(shades) == list(range(1, 8))


def test_the_price_of_a_stranger_shows_each_seed_in_the_table():
    nats = [np.array([0.5, 0.7]), np.array([2.0, 3.0]), np.array([0.5, 0.7])]
    leak = LeakResult(["a"], np.ones((1, 1)), np.zeros((1, 1)), *nats)
    table = charts.leak_price(leak, TEXT).data()
    assert table.iloc[:, 1].tolist() == pytest.approx([0.6, 2.5, 0.6])
    assert table["seed 1"].tolist() == [0.7, 3.0, 0.7]
