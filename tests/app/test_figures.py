"""Every kind of figure reaches the page with its text alternative."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from streamlit.testing.v1 import AppTest

from app.charts.bars import probabilities
from app.charts.curves import Series, curve
from app.charts.explore import plotly_figure
from app.charts.maps import matrix
from app.charts.payload import unpack
from app.figures import Figure
from app.i18n import Words

TEXT = Words("zh", "any_lab")


def drawn(figure: Figure) -> AppTest:
    def script(figure):
        import streamlit as st

        from app.figures import draw

        st.session_state["returned"] = draw(figure, key="lab.figure")

    return AppTest.from_function(script, args=(figure,)).run(timeout=30)


def test_a_curve_is_an_echarts_chart_that_says_what_it_shows():
    figure = curve([Series("损失", [0, 1], [2, 1])], x_title="步", y_title="损失", alt="损失下降。")
    (element,) = drawn(figure).get("echarts_chart")
    assert element.proto.alt == "损失下降。"


def test_a_plotly_figure_says_what_it_shows():
    figure = Figure("plotly", plotly_figure(go.Scatter(x=[1], y=[1])), "一个点。", pd.DataFrame())
    (element,) = drawn(figure).get("plotly_chart")
    assert element.proto.alt == "一个点。"


def test_a_canvas_gets_its_bytes_and_returns_no_selection_before_a_click():
    figure = matrix(
        np.eye(2), ["a", "b"], ["c", "d"], TEXT, alt="单位矩阵。", row_title="行", column_title="列",
        value_title="值",
    )  # fmt: skip
    page = drawn(figure)
    assert not page.exception
    (element,) = page.get("bidi_component")
    header, arrays = unpack(element.proto.bytes)
    assert header["alt"] == "单位矩阵。"
    np.testing.assert_array_equal(arrays["exact"], np.eye(2))
    assert page.session_state["returned"] is None


def test_html_stands_in_a_frame_of_its_own():
    figure = Figure("html", "<b>x</b>", "一页。", pd.DataFrame(), height=120)
    (element,) = drawn(figure).get("iframe")
    assert element.proto.srcdoc == "<b>x</b>"
    assert element.proto.alt == "一页。"


def test_a_costly_table_is_built_when_it_is_asked_for():
    built = []

    def table() -> pd.DataFrame:
        built.append(1)
        return pd.DataFrame({"a": [1]})

    figure = Figure("html", "", "", table)
    assert built == []
    assert figure.data()["a"].tolist() == [1]


@pytest.mark.parametrize("labels", [["</script>"], ["<img src=x onerror=alert(1)>"], ["{b}"], [""]])
def test_hostile_labels_do_not_break_the_page(labels):
    assert not drawn(probabilities(labels, [1.0], TEXT, alt=labels[0] or "空")).exception
