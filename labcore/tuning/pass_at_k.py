"""pass@k: the chance that at least one of k answers is right, from n answers of which c were.

Taking the first k of n answers wastes the others; the mean over all choices of k of them has a closed form.
Source: Chen et al., arXiv:2107.03374, equation 1.
"""

from math import comb

from labcore.errors import LabInputError


def pass_at_k(answers: int, right: int, k: int) -> float:
    """1 − C(n − c, k) / C(n, k).

    By hand: of 4 answers 1 is right; two of them are drawn in 6 ways, 3 of which miss it: 1 − 3/6.

    >>> pass_at_k(answers=4, right=1, k=2)
    0.5
    """
    if not 0 <= right <= answers:
        raise LabInputError("right", right, "between", low=0, high=answers)
    if not 1 <= k <= answers:
        raise LabInputError("k", k, "between", low=1, high=answers)
    return 1 - comb(answers - right, k) / comb(answers, k)
