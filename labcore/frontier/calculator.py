"""A calculator for a model to use: what it writes is read as a sum, and never run as a program.

The text is parsed into a tree, and the tree is walked with a short list of what may stand in it: numbers, the
signs + − × ÷ and powers. A name, a call, an attribute or anything else is refused before anything is
computed. Numbers are fractions, so that 0.1 + 0.2 is 0.3; and the size of a power is known before it is
raised.
"""

import ast
import math
import operator
from fractions import Fraction

from labcore.errors import LabInputError

LONGEST = 200  # characters
MOST_DIGITS = 60  # of a result, above or below the line
SPELLINGS = str.maketrans({"×": "*", "÷": "/", "−": "-", "（": "(", "）": ")", "^": "**"})
OPERATIONS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def calculate(expression: str) -> Fraction:
    """The value of a sum.  "3 × (4 − 1) / 2" -> 9/2

    Raises LabInputError("expression", …): "at_most_characters", "is_a_sum", "division_by_zero" or
    "within_digits".
    """
    if len(expression) > LONGEST:
        raise LabInputError("expression", len(expression), "at_most_characters", limit=LONGEST)
    try:
        tree = ast.parse(expression.translate(SPELLINGS).strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise LabInputError("expression", expression, "is_a_sum") from None
    return value(tree.body, expression)


def value(node: ast.expr, expression: str) -> Fraction:
    """What one part of the tree comes to."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            if math.isinf(number):
                raise LabInputError("expression", expression, "within_digits", limit=MOST_DIGITS)
            # Through its own spelling: 0.1 means a tenth, not the binary fraction next to it.
            return sized(Fraction(str(number)), expression)
        case ast.UnaryOp(op=ast.USub()):
            return -value(node.operand, expression)
        case ast.UnaryOp(op=ast.UAdd()):
            return value(node.operand, expression)
        case ast.BinOp(op=ast.Pow()):
            return power(value(node.left, expression), value(node.right, expression), expression)
        case ast.BinOp() if type(node.op) in OPERATIONS:
            left, right = value(node.left, expression), value(node.right, expression)
            if right == 0 and isinstance(node.op, ast.Div | ast.FloorDiv | ast.Mod):
                raise LabInputError("expression", expression, "division_by_zero")
            return sized(Fraction(OPERATIONS[type(node.op)](left, right)), expression)
    raise LabInputError("expression", expression, "is_a_sum")


def power(base: Fraction, exponent: Fraction, expression: str) -> Fraction:
    """A whole power whose size is looked at first: 9**9**9 would have 370 million digits."""
    if exponent.denominator != 1:
        raise LabInputError("expression", expression, "is_a_sum")
    if base == 0 and exponent < 0:
        raise LabInputError("expression", expression, "division_by_zero")
    digits = math.log10(max(abs(base.numerator), base.denominator)) * abs(exponent)
    if digits > MOST_DIGITS:
        raise LabInputError("expression", expression, "within_digits", limit=MOST_DIGITS)
    if base == -1:  # any power has one digit, but raising by a huge number takes long
        exponent %= 2
    return sized(base ** int(exponent), expression)


def sized(number: Fraction, expression: str) -> Fraction:
    """The number, if it can still be read."""
    if max(abs(number.numerator), number.denominator) >= 10**MOST_DIGITS:
        raise LabInputError("expression", expression, "within_digits", limit=MOST_DIGITS)
    return number
