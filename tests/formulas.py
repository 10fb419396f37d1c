"""Reads formulas written for people, such as ``x[n,0,r,c] = (1 + sin(0.11*r + n)) / 4, float64 then float32``."""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Values = dict[str, Any]
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "sin": np.sin, "cos": np.cos, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs, "tanh": np.tanh,
    "min": np.minimum, "max": np.maximum,
}  # fmt: skip
_GRAMMAR = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Load,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip
_CLAUSE = re.compile(
    r"(?P<name>\w+)(?P<axes>\[[^\]]*\])?(?P<flat>\.flat\[(\w+)\])?(?:\([\w, ]*\))?\s*=\s*(?P<value>[^=].*)"
)


@dataclass(frozen=True)
class Target:
    """What a clause fills: indices as written, the name of the flat index if it has one, and the expression."""

    indices: list[str]
    flat: str
    expression: str


def assignments(formula: str) -> tuple[list[Target], dict[str, str]]:
    """Clauses that fill an array, and the auxiliary definitions they may use."""
    targets, definitions = [], {}
    for clause in _clauses(formula):
        found = _CLAUSE.fullmatch(clause)
        if found is None:
            continue
        expression = found["value"].split(" with ")[0].strip()
        if found["axes"] or found["flat"]:
            indices = [index.strip() for index in (found["axes"] or "[]")[1:-1].split(",")]
            targets.append(Target(indices, found[4] or "", expression))
        else:
            definitions[found["name"]] = expression
    if not targets:
        raise ValueError(f"This formula fills nothing: {formula}")
    return targets, definitions


def evaluate(expression: str, values: Values, definitions: dict[str, str] | None = None) -> Any:
    """Value of an expression; `definitions` are looked up where `values` knows no such name."""
    value, _, condition = expression.partition(" where ")
    if condition:
        return evaluate(value, values, definitions) * evaluate(condition, values, definitions)
    # u(j;1000) is the hash of j under key number 1000; ^ is a power and mod a remainder, as on paper
    text = re.sub(r"\bu\(([^;()]+);", r"hash(\1,", expression).replace("^", "**").replace(" mod ", " % ")
    return _value(ast.parse(text.strip(), mode="eval").body, values, definitions or {})


def _value(node: ast.expr, values: Values, definitions: dict[str, str]) -> Any:
    if any(not isinstance(part, _GRAMMAR) for part in ast.walk(node)):
        raise ValueError(f"'{ast.unparse(node)}' is no formula.")
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    known: Values = {"pi": np.pi, **_FUNCTIONS}
    for name in names - known.keys():
        if name in values:
            known[name] = values[name]
        elif name in definitions:
            known[name] = evaluate(definitions[name], values, definitions)
        else:
            raise ValueError(f"'{name}' in '{ast.unparse(node)}' is not known.")
    code = compile(ast.fix_missing_locations(ast.Expression(_elementwise(node))), "formula", "eval")
    return eval(code, {"__builtins__": {}, "either": np.logical_or, "both": np.logical_and}, known)


def _elementwise(node: ast.expr) -> ast.expr:
    """``or`` and ``and`` of whole arrays."""

    class Elementwise(ast.NodeTransformer):
        def visit_BoolOp(self, found: ast.BoolOp) -> ast.expr:
            self.generic_visit(found)
            name = "either" if isinstance(found.op, ast.Or) else "both"
            result = found.values[0]
            for value in found.values[1:]:
                result = ast.Call(ast.Name(name, ast.Load()), [result, value], [])
            return result

    return Elementwise().visit(node)  # type: ignore[no-any-return]


def _clauses(formula: str) -> list[str]:
    """Split at commas and semicolons outside of brackets, and before definitions: ``1 where u > v with u = r``."""
    formula = re.sub(r"\s(?:with|and)\s+(?=\w+\s*=[^=])", ", ", formula)
    clauses, depth = [""], 0
    for letter in formula:
        depth += (letter in "([{") - (letter in ")]}")
        if letter in ",;" and depth == 0:
            clauses.append("")
        else:
            clauses[-1] += letter
    return [clause.strip() for clause in clauses]
