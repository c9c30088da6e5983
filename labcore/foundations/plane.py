"""What a 2 × 2 matrix does to the plane: where points go, which directions stay, how much is stretched.

A matrix sends the unit circle to an ellipse. Its half axes are the singular values: how far a direction
can be stretched at most and at least. An eigenvector is something else: a direction that the matrix does
not turn. The two agree for symmetric matrices only. Matrices multiply as maps follow one another:
(BA)x = B(Ax), the right one first.

Axes: P points of the circle, S points of a shape, L lines of the grid, E real eigenvectors, K steps.
Source: Strang, *Introduction to Linear Algebra*, chapters 6 and 7.
"""

from dataclasses import dataclass

import numpy as np

from labcore.configs import lab_config
from labcore.errors import LabInputError, check_choices
from labcore.foundations.singular import jacobi_svd, power_iteration

Entries = tuple[float, float, float, float]  # a, b, c, d: the rows (a b) and (c d)
HALF, ROOT = 0.5, 0.75**0.5  # cosine and sine of 60°
NAMED: dict[str, Entries] = {
    "shear": (1.0, 1.0, 0.0, 1.0),
    "stretch": (1.5, 0.0, 0.0, 0.5),
    "rotation": (HALF, -ROOT, ROOT, HALF),
    "reflection": (1.0, 0.0, 0.0, -1.0),
    "symmetric": (1.2, 0.6, 0.6, 0.8),
    "projection": (0.8, 0.4, 0.4, 0.2),  # onto the line through (2, 1): rank one
    "general": (1.4, 0.8, 0.2, 0.6),
}
LARGEST = 2.0  # of an entry
POINTS = 181
# The letter F tells a mirror image from a turn.
LETTER = np.array([(0, 0), (0, 1), (0.6, 1), (0.6, 0.8), (0.2, 0.8), (0.2, 0.6), (0.5, 0.6),
                   (0.5, 0.4), (0.2, 0.4), (0.2, 0), (0, 0)])  # fmt: skip


@lab_config
class PlaneConfig:
    entries: Entries = NAMED["general"]
    start_degrees: float = 80.0  # of the vector that is multiplied again and again
    steps: int = 24

    def __post_init__(self):
        for entry in self.entries:
            if not -LARGEST <= entry <= LARGEST:
                raise LabInputError("entries", entry, "between", low=-LARGEST, high=LARGEST)
        if not 1 <= self.steps <= 100:
            raise LabInputError("steps", self.steps, "between", low=1, high=100)


@dataclass(frozen=True, slots=True, eq=False)
class PlaneResult:
    matrix: np.ndarray  # (2, 2)
    degrees: np.ndarray  # (P,) where the points of the circle stand
    circle: np.ndarray  # (P, 2)
    image: np.ndarray  # (P, 2)
    lengths: np.ndarray  # (P,) of the image: how much each direction is stretched
    turns: np.ndarray  # (P,) degrees from a point to its image, −180 … 180; nan if it goes to 0
    left: np.ndarray  # (2, 2) columns u, the half axes of the ellipse
    values: np.ndarray  # (2,) singular values
    right: np.ndarray  # (2, 2) columns v, what goes there
    determinant: float  # by how much areas grow; negative: mirrored
    eigenvalues: np.ndarray  # (2,) complex, larger size first
    eigenvectors: np.ndarray  # (E, 2) those that are real, of length 1
    iterates: np.ndarray  # (K + 1, 2)
    step_degrees: np.ndarray  # (K,) how far each multiplication still turns the line
    ratio: float  # |λ₂| / |λ₁|, by which those shrink


@lab_config
class ProductConfig:
    first: str = "shear"
    then: str = "rotation"

    def __post_init__(self):
        check_choices(self, {"first": tuple(NAMED), "then": tuple(NAMED)})


@dataclass(frozen=True, slots=True, eq=False)
class ProductResult:
    first: np.ndarray  # (2, 2) A
    then: np.ndarray  # (2, 2) B
    product: np.ndarray  # (2, 2) BA: A first
    swapped: np.ndarray  # (2, 2) AB: B first
    shapes: dict[str, np.ndarray]  # (S, 2) "before", "halfway" (A), "product" (BA), "swapped" (AB)
    values: dict[str, np.ndarray]  # (2,) singular values of "first", "then", "product", "swapped"
    determinants: dict[str, float]
    apart: float  # the largest entry of BA − AB: 0 if the order does not matter


def as_matrix(entries: Entries) -> np.ndarray:
    return np.array(entries, np.float64).reshape(2, 2)


def multiply(then: np.ndarray, first: np.ndarray) -> np.ndarray:
    """One matrix for "first, then then": entry ij is row i of the second map times column j of the first.

    >>> multiply(np.array([[0, -1], [1, 0]]), np.array([[1, 1], [0, 1]])).tolist()  # shear, then 90°
    [[0, -1], [1, 1]]
    """
    product = np.zeros((then.shape[0], first.shape[1]), np.result_type(then, first))
    for row in range(then.shape[0]):
        for column in range(first.shape[1]):
            product[row, column] = sum(
                then[row, k] * first[k, column] for k in range(first.shape[0])
            )
    return product


def eigenvalues_2x2(matrix: np.ndarray) -> np.ndarray:
    """The roots of λ² − (a + d)·λ + (ad − bc): half the trace, plus and minus a root.  (2,) complex

    >>> eigenvalues_2x2(np.array([[2.0, 1.0], [1.0, 2.0]])).real.tolist()  # λ² − 4λ + 3
    [3.0, 1.0]
    """
    (a, b), (c, d) = matrix
    half, determinant = (a + d) / 2, a * d - b * c
    root = np.sqrt(complex(half**2 - determinant))
    pair = np.array([half + root, half - root])
    return pair[np.argsort(-np.abs(pair), kind="stable")]


def real_eigenvectors(matrix: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Directions that are not turned: what A − λ sends to zero.  -> (E, 2), none for a rotation"""
    found = []
    for value in values:
        if abs(value.imag) > 1e-9:
            continue
        (a, b), (c, d) = matrix - value.real * np.eye(2)
        # A vector at right angles to a row of A − λ; of the two rows the longer.
        vector = np.array([-b, a]) if np.hypot(a, b) >= np.hypot(c, d) else np.array([-d, c])
        length = np.linalg.norm(vector)
        if length < 1e-9:  # A − λ is zero: nothing at all is turned
            return np.eye(2)
        found.append(vector / length + 0.0)  # + 0.0: no −0
    if len(found) == 2 and abs(abs(found[0] @ found[1]) - 1) < 1e-9:
        found = found[:1]  # a shear has one direction only
    return np.array(found).reshape(-1, 2)


def run(config: PlaneConfig) -> PlaneResult:
    matrix = as_matrix(config.entries)
    degrees = np.linspace(0, 360, POINTS)
    circle = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1)
    image = circle @ matrix.T
    lengths = np.linalg.norm(image, axis=1)
    left, values, right = jacobi_svd(matrix)
    eigenvalues = eigenvalues_2x2(matrix)
    angle = np.radians(config.start_degrees)
    start = np.array([np.cos(angle), np.sin(angle)])
    iterates = power_iteration(matrix, start, config.steps)
    sizes = np.abs(eigenvalues)
    return PlaneResult(
        matrix, degrees, circle, image, lengths, turned_by(circle, image), left, values, right,
        float(matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]), eigenvalues,
        real_eigenvectors(matrix, eigenvalues), iterates, line_angles(iterates),
        float(sizes[1] / sizes[0]) if sizes[0] > 0 else 0.0,
    )  # fmt: skip


def turned_by(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Degrees from each vector to its image.  (P, 2), (P, 2) -> (P,)"""
    cross = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    dot = (before * after).sum(axis=1)
    vanished = np.linalg.norm(after, axis=1) < 1e-12
    return np.where(vanished, np.nan, np.degrees(np.arctan2(cross, dot)))


def line_angles(vectors: np.ndarray) -> np.ndarray:
    """Degrees between the lines of each vector and the next, 0 … 90.  (K + 1, 2) -> (K,)"""
    now, after = vectors[:-1], vectors[1:]
    cross = np.abs(now[:, 0] * after[:, 1] - now[:, 1] * after[:, 0])
    return np.degrees(np.arctan2(cross, np.abs((now * after).sum(axis=1))))


def compose(config: ProductConfig) -> ProductResult:
    """Two maps one after the other, in either order."""
    first, then = as_matrix(NAMED[config.first]), as_matrix(NAMED[config.then])
    product, swapped = multiply(then, first), multiply(first, then)
    all_four = {"first": first, "then": then, "product": product, "swapped": swapped}
    shapes = {"before": LETTER, "halfway": LETTER @ first.T, "product": LETTER @ product.T,
              "swapped": LETTER @ swapped.T}  # fmt: skip
    return ProductResult(
        first, then, product, swapped, shapes,
        {name: jacobi_svd(matrix)[1] for name, matrix in all_four.items()},
        {name: float(np.linalg.det(matrix)) for name, matrix in all_four.items()},
        float(np.abs(product - swapped).max()),
    )  # fmt: skip
