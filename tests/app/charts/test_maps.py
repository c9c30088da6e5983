"""Attention grids, matrices and token rows: what is sent is what was computed."""

import numpy as np
import pytest

from app.charts.maps import attention_grid, matrix, token_kinds, token_row
from app.charts.payload import unpack
from app.i18n import Words

TEXT = Words("en", "any_lab")


def rows_summing_to_one(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32)


def sent(figure, selection=None):
    return unpack(figure.spec.pack(selection))


def test_a_layer_of_twelve_heads_and_64_tokens_costs_at_most_70_kilobytes():
    """12·64·64 codes + 64·64·4 exact + 512 mask bytes = 66 048, plus words. As JSON: about 1 MB."""
    figure = attention_grid(
        rows_summing_to_one(12, 64, 64), ["token"] * 64, ["词元"] * 64, TEXT, alt="a", causal=True
    )
    assert len(figure.spec.pack()) <= 70_000


def test_attention_codes_are_within_half_a_step_and_the_shown_head_is_exact():
    weights = rows_summing_to_one(3, 4, 5)
    header, arrays = sent(attention_grid(weights, list("abcd"), list("vwxyz"), TEXT, alt="a"))
    assert np.abs(arrays["codes"][0] / 255 - weights).max() <= 0.5 / 255 + 1e-6
    np.testing.assert_array_equal(arrays["exact"], weights[0])
    assert header["rows"] == list("abcd")
    assert header["columns"] == list("vwxyz")


def test_the_head_that_a_learner_selects_becomes_exact():
    weights = rows_summing_to_one(3, 4, 4)
    figure = attention_grid(weights, list("abcd"), list("abcd"), TEXT, alt="a")
    header, arrays = sent(figure, {"head": 2, "row": 0, "column": 1})
    assert header["exact_head"] == 2
    np.testing.assert_array_equal(arrays["exact"], weights[2])


def test_causal_hides_what_comes_later():
    """With two cached tokens before, query t may look at keys 0 … t + 2."""
    weights = rows_summing_to_one(1, 3, 5)
    _, arrays = sent(
        attention_grid(weights, list("abc"), list("uvwxy"), TEXT, alt="a", causal=True)
    )
    mask = np.unpackbits(arrays["mask"], count=15).reshape(3, 5)
    assert mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]


def test_the_table_of_a_grid_holds_the_weights_drawn_and_no_masked_ones():
    weights = rows_summing_to_one(2, 3, 3)
    figure = attention_grid(weights, list("abc"), list("abc"), TEXT, alt="a", causal=True)
    table = figure.data()
    assert len(table) == 2 * 6  # two heads, lower triangle of 3 × 3
    row = table[(table["Heads"] == "Head 1") & (table["Query"] == "2 c") & (table["Key"] == "0 a")]
    assert row["Weight"].item() == weights[1, 2, 0]


def test_frames_are_sent_in_order_and_named_in_the_table():
    frames = rows_summing_to_one(3, 2, 2, 2)
    figure = attention_grid(
        frames, ["a", "b"], ["a", "b"], TEXT, alt="a", frame_labels=["0", "50", "100"]
    )
    header, arrays = sent(figure)
    assert header["frames"] == ["0", "50", "100"]
    np.testing.assert_array_equal(arrays["codes"], np.rint(frames.astype(float) * 255))
    assert "exact" not in arrays
    assert list(figure.data()["Step"].unique()) == ["0", "50", "100"]


def test_a_small_matrix_travels_as_float32():
    values = np.array([[-2.0, 0.5], [1.0, 0.25]], np.float32)
    figure = titled(values)
    header, arrays = sent(figure)
    np.testing.assert_array_equal(arrays["exact"], values)
    assert header["range"] == [-2, 2]  # signed values are centred on zero
    assert arrays["codes"].ravel().tolist() == [0, 159, 191, 143]  # (x + 2) / 4 · 255
    np.testing.assert_array_equal(figure.data().iloc[:, 1:].to_numpy(np.float32), values)


def test_a_large_matrix_travels_in_65536_steps_and_says_so():
    values = np.linspace(0, 1, 128 * 128, dtype=np.float32).reshape(128, 128)
    header, arrays = sent(titled(values))
    assert "exact" not in arrays
    assert np.abs(arrays["fine"] / 65535 - values).max() <= 0.5 / 65535 + 1e-6
    assert "exact_head" not in header  # the readout then shows "≈" and half a step


def titled(values: np.ndarray, **more):
    rows, columns = [[str(i) for i in range(n)] for n in values.shape]
    return matrix(
        values, rows, columns, TEXT, alt="a", row_title="row", column_title="column",
        value_title="value", **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    "values", [np.zeros((2, 2)), np.full((2, 2), -np.inf), np.full((1, 1), np.nan)]
)
def test_a_matrix_without_a_range_still_has_a_picture(values):
    header, _ = sent(titled(values))
    low, high = header["range"]
    assert low < high


def test_bounds_make_two_matrices_comparable():
    header, arrays = sent(titled(np.array([[0.0, 1.0]]), bounds=(0.0, 4.0)))
    assert header["range"] == [0, 4]
    assert arrays["codes"].ravel().tolist() == [0, 64]  # 1 / 4 · 255 = 63.75


def test_weights_beyond_the_darkest_colour_are_not_clipped():
    """The map may end at 0.5; a weight of 0.9 in another head must still be read as 0.9."""
    weights = np.array([[[0.1, 0.9]], [[0.9, 0.1]]])
    header, arrays = sent(attention_grid(weights, ["a"], ["b", "c"], TEXT, alt="a", high=0.5))
    assert header["range"] == [0, 0.5]
    low, high = header["code_range"]
    assert high == pytest.approx(0.9)
    np.testing.assert_allclose(low + arrays["codes"][0] / 255 * (high - low), weights, atol=0.002)


def test_token_rows_send_their_numbers_and_their_details():
    values = rows_summing_to_one(2, 2)
    figure = token_row(
        ["猫", "坐"], values, TEXT, alt="a", value_title="weight", details=[[("在", 0.5)], []]
    )
    header, arrays = sent(figure)
    np.testing.assert_array_equal(arrays["values"], values)
    assert header["details"] == [[["在", 0.5]], []]
    assert figure.data().columns.tolist() == ["Token", "0 猫", "1 坐"]


def test_one_number_per_token_gives_one_column():
    figure = token_row(["a", "a"], np.array([0.1, -0.2]), TEXT, alt="a", value_title="change")
    assert figure.data().to_dict("list") == {
        "Token": ["0 a", "1 a"],
        "change": [np.float32(0.1), np.float32(-0.2)],
    }
    assert sent(figure)[0]["range"] == pytest.approx([-0.2, 0.2])


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_canvas_has_its_words_in_both_languages(language):
    text = Words(language, "any_lab")
    header, _ = sent(attention_grid(rows_summing_to_one(2, 2, 2), "ab", "ab", text, alt="说明"))
    assert header["alt"] == "说明"
    assert header["heads"] == {"zh": ["头 0", "头 1"], "en": ["Head 0", "Head 1"]}[language]
    assert all(header["words"].values())


def test_tokens_by_kind_send_kinds_colours_and_notes():
    names = [("read", "#aaaaaa"), ("asked", "#078a68")]
    figure = token_kinds(
        ["猫", "坐"], np.array([0, 1]), names, TEXT, alt="a", kind_title="kind", notes=["x", ""]
    )
    header, arrays = sent(figure)
    assert header["kinds"] == [["read", "#aaaaaa"], ["asked", "#078a68"]]
    assert header["notes"] == ["x", ""]
    np.testing.assert_array_equal(arrays["values"], [0, 1])
    assert figure.data().to_dict("list") == {"Token": ["0 猫", "1 坐"], "kind": ["read", "asked"]}
