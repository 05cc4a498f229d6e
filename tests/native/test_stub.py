"""The committed stub says what the extension has."""

import ast
from pathlib import Path

import pytest
from sfumato.engine import _native


def stub_tree() -> ast.Module:
    from sfumato.engine import verify

    return ast.parse((Path(verify.__file__).parent / "_native.pyi").read_text("utf-8"))


def names(body: list[ast.stmt]) -> set[str]:
    return {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def test_functions_and_classes_are_the_same() -> None:
    assert names(stub_tree().body) == public(_native)


@pytest.mark.parametrize("name", ["Model", "Step"])
def test_members_are_the_same(name: str) -> None:
    (tree,) = [n for n in stub_tree().body if isinstance(n, ast.ClassDef) and n.name == name]
    assert names(tree.body) - {"__init__"} == public(getattr(_native, name))
