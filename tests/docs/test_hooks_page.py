"""The page of the hooks says exactly what the code asks of a plugin."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re

import pytest

import zoo.types
from zoo import hookspecs
from zoo.types import distilling, growers, protocols, reporting, runtimes, training
from zoo.types.specs import Spec

HOOKS = {name: each for name, each in vars(hookspecs).items() if name.startswith("zoo_")}
SPECS = [
    each
    for name, each in vars(zoo.types).items()
    if name.endswith("Spec") and issubclass(each, Spec)
]
PROTOCOLS = {
    name: each
    for module in (distilling, growers, protocols, reporting, runtimes, training)
    for name, each in vars(module).items()
    if getattr(each, "_is_protocol", False) and each.__module__ == module.__name__
}


@pytest.fixture(scope="module")
def text(page):
    return page("docs/reference/hooks.md")


@pytest.fixture(scope="module")
def written(text, blocks):
    """Give the code of the page by name: functions, and methods as Protocol.method."""
    found = {}
    for block in blocks(text, "py"):
        for node in ast.parse(block).body:
            members = node.body if isinstance(node, ast.ClassDef) else [node]
            above = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
            for each in members:
                if isinstance(each, ast.FunctionDef):
                    found[above + each.name] = signed(each)
    return found


def signed(node):
    """Write arguments and answer on one line, without quotes."""
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(node.args)}){returns}".replace("'", "").replace('"', "")


def signature_of(function):
    """Write what Python itself says in the same way."""
    (node,) = ast.parse(f"def f{inspect.signature(function)}: ...").body
    return signed(node)


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_has_its_signature_and_its_docstring(name, written, text):
    assert f"\n## {name}\n" in text
    assert written[name] == signature_of(HOOKS[name])
    for line in inspect.getdoc(HOOKS[name]).splitlines():
        assert line.replace("``", "`") in text


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_every_field_of_a_spec_has_its_type_and_default(spec, text):
    if spec is not Spec:
        assert f"\n### {spec.__name__}\n" in text
    for field in dataclasses.fields(spec):
        kind = str(field.type).replace("|", "\\|")
        default = "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
        if field.default_factory is not dataclasses.MISSING:
            default = f"`{field.default_factory()!r}`"
        row = re.escape(f"| `{field.name}` | `{kind}` | {default} | ")
        assert re.search(rf"^{row}.+ \|$", text, re.MULTILINE), f"{field.name} or what it means"


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_method_of_a_protocol_has_its_signature(name, written, text):
    assert text.count(f"\n### {name}\n") == 1
    for method, function in vars(PROTOCOLS[name]).items():
        if inspect.isfunction(function) and not method.startswith("_"):
            assert written[f"{name}.{method}"] == signature_of(function)
