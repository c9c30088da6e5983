"""Matrices: two maps one after the other, a circle and its ellipse, and the spectrum of a learnt matrix."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.charts import matrices as charts
from app.page import LabPage
from app.provenance import COMPUTED, MEASURED
from labcore.foundations import plane as lab
from labcore.foundations import singular, spectrum
from labcore.foundations.plane import NAMED, PlaneConfig, ProductConfig
from labcore.foundations.spectrum import SpectrumConfig

SHOWN = (
    lab.multiply, lab.eigenvalues_2x2, lab.real_eigenvectors, singular.power_iteration,
    singular.jacobi_svd, singular.rotate, singular.cut_to_rank, singular.errors_by_rank,
)  # fmt: skip

PARTS = ("plane", "product", "spectrum")
PRESETS = (*NAMED, "own")
ENTRIES = ("a", "b", "c", "d")


def experiment(page: LabPage) -> None:
    part = page.choice("part", PARTS, PARTS[0])
    page.caption(f"part.{part}")
    {"plane": draw_plane, "product": draw_product, "spectrum": draw_spectrum}[part](page)


def draw_plane(page: LabPage) -> None:
    guess = page.predict("kept", options=("none", "one", "two"))
    preset = page.choice("preset", PRESETS, "general", style="pills")
    if preset == "own":
        columns = st.columns(2)
        entries = tuple(own_entry(page, n, columns[n % 2]) for n in range(4))
    else:
        entries = NAMED[preset]
    result = page.run(lab.run, PlaneConfig(entries))
    st.latex(matrix_formula("A", result.matrix))
    st.markdown(
        page.text(
            "plane.outcome", large=f"{result.values[0]:.3f}", small=f"{result.values[1]:.3f}",
            determinant=f"{result.determinant:.3f}", eigen=eigen_text(page, result.eigenvalues),
        )
    )  # fmt: skip
    page.figure(charts.plane(result, page.text), COMPUTED, "plane")
    page.figure(charts.stretch(result, page.text), COMPUTED, "stretch")
    page.part(draw_power, page, entries)
    page.reveal(guess, shear_keeps(page))


def draw_power(page: LabPage, entries: tuple[float, ...]) -> None:
    """Where a vector turns that the matrix is applied to again and again."""
    start = page.slider("start_degrees", 0, 180, 80)
    result = page.run(lab.run, PlaneConfig(entries, float(start)))
    page.figure(charts.power(result, page.text), COMPUTED, "power")
    page.offer_notebook(
        "from labcore.foundations import plane as lab\n\n"
        f"result = lab.run(lab.PlaneConfig({entries!r}, {float(start)}))",
        "print(result.matrix)\nprint(result.values, result.eigenvalues)\nprint(result.eigenvectors)",
    )


def own_entry(page: LabPage, number: int, column: DeltaGenerator) -> float:
    with column:
        return page.slider(
            ENTRIES[number], -lab.LARGEST, lab.LARGEST, NAMED["general"][number], 0.1
        )


def shear_keeps(page: LabPage) -> str:
    """How many directions the shear leaves alone: what the prediction asks, whatever matrix is on show."""
    found = page.run(lab.run, PlaneConfig(NAMED["shear"])).eigenvectors
    return ("none", "one", "two")[len(found)]


def eigen_text(page: LabPage, values: np.ndarray) -> str:
    first, second = values
    if abs(first.imag) > 1e-9:
        return page.text(
            "eigen.complex", real=f"{first.real:.3f}", imaginary=f"{abs(first.imag):.3f}"
        )
    return page.text("eigen.real", first=f"{first.real:.3f}", second=f"{second.real:.3f}")


def matrix_formula(name: str, matrix: np.ndarray) -> str:
    """A 2 × 2 matrix in LaTeX."""
    rows = r" \\ ".join(" & ".join(f"{entry:.3g}" for entry in row + 0.0) for row in matrix)
    return rf"{name} = \begin{{pmatrix}} {rows} \end{{pmatrix}}"


def draw_product(page: LabPage) -> None:
    guess = page.predict("order", options=("same", "shape", "area"))
    left, right = st.columns(2)
    with left:
        first = page.choice("first", tuple(NAMED), "shear", style="pills")
    with right:
        then = page.choice("then", tuple(NAMED), "rotation", style="pills")
    config = ProductConfig(first, then)
    result = page.run(lab.compose, config)
    with left:
        st.latex(matrix_formula("BA", result.product))
    with right:
        st.latex(matrix_formula("AB", result.swapped))
    largest = {name: float(values[0]) for name, values in result.values.items()}
    same = "same" if result.apart < 1e-9 else "differs"
    st.markdown(
        page.text(
            f"product.{same}", apart=f"{result.apart:.3f}", a=f"{largest['first']:.3f}",
            b=f"{largest['then']:.3f}", ba=f"{largest['product']:.3f}",
            bound=f"{largest['first'] * largest['then']:.3f}",
            areas=f"{result.determinants['first']:.2f} · {result.determinants['then']:.2f} = "
            f"{result.determinants['product']:.2f}",
        )
    )  # fmt: skip
    page.figure(charts.shapes(result, page.text), COMPUTED, "shapes")
    page.reveal(guess, orders_compared(page.run(lab.compose, ProductConfig())))
    page.offer_notebook(
        f"from labcore.foundations import plane as lab\n\nresult = lab.compose(lab.{config!r})",
        "print(result.product)\nprint(result.swapped)\nprint(result.values)",
    )


def orders_compared(result: lab.ProductResult) -> str:
    """Whether BA and AB are the same, differ in shape alone, or in area as well."""
    areas = result.determinants
    if abs(areas["product"] - areas["swapped"]) > 1e-9:
        return "area"
    return "same" if result.apart < 1e-9 else "shape"


def draw_spectrum(page: LabPage) -> None:
    guess = page.predict("ninety", low=0, high=128, step=1)
    left, right = st.columns(2)
    with left:
        kind = page.choice("kind", spectrum.KINDS, "out", style="pills")
        layer = page.slider("layer", 0, spectrum.LAYERS - 1, 3)
    with right:
        head = page.slider("head", 0, spectrum.HEADS - 1, 0) if kind == "head" else 0
        rank = page.slider("rank", 0, 128, 16)
    config = SpectrumConfig(layer, kind, head, rank)
    result = page.run(spectrum.run, config)
    needed = int(np.argmax(result.errors**2 <= 0.1))
    st.markdown(
        page.text(
            "spectrum.outcome", rows=result.shape[0], columns=result.shape[1], rank=rank,
            error=f"{100 * result.measured_error:.1f}", formula=f"{100 * result.errors[rank]:.1f}",
            numbers=f"{result.numbers:,}", all=f"{result.all_numbers:,}", needed=needed,
            shuffled=int(np.argmax(result.shuffled_errors**2 <= 0.1)),
        )
    )  # fmt: skip
    page.figure(charts.spectrum(result, rank, page.text), COMPUTED, "spectrum")
    page.figure(charts.errors(result, rank, page.text), COMPUTED, "errors")
    page.reveal(guess, float(needed), 0.15)
    most = float(np.abs(result.matrix).max())
    for column, which in zip(st.columns(2), ("matrix", "cut"), strict=True):
        with column:
            corner = charts.corner(getattr(result, which), most, which, page.text)
            page.figure(corner, COMPUTED, which)
    if kind == "head":
        page.caption("head.about")
    elif page.toggle("judge", False):
        page.figure(charts.judged(page.run(spectrum.judge, SpectrumConfig(layer, kind)), page.text),
                    MEASURED, "judged")  # fmt: skip
    page.offer_notebook(
        f"from labcore.foundations import spectrum as lab\n\nresult = lab.run(lab.{config!r})",
        "print(result.values[:8], result.shuffled[:8])\nprint(result.measured_error)",
    )
