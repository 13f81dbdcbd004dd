"""A new plugin: a whole distribution, rendered from the templates that come with Zoo."""

from __future__ import annotations

import importlib.util
import json
import keyword
import re
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Kind -> what the plugin does that is rendered for it.
KINDS: Mapping[str, str] = {
    "estimator": "Scores a checkpoint by the gap between the nearest two classes.",
    "runtime": "Runs image checkpoints through transformers and reads every hidden state.",
    "amalgamator": "Makes one student to which is alike what is alike to its teachers.",
    "distiller": "Teaches a student the last vector of its teacher.",
    "grower": "Makes networks larger by copies that differ a little.",
    "reporter": "Says which of two models takes more space.",
    "source": "Finds checkpoints by name in one folder of yours.",
    "probe": "Reads features and labels from a file in the format of LIBSVM.",
    "command": "Says how evenly labelled data is spread over its classes.",
}
#: Templates of every kind -> where they go in the distribution.
_COMMON: Mapping[str, str] = {
    "pyproject.toml.j2": "pyproject.toml",
    "README.md.j2": "README.md",
    "CHANGELOG.md.j2": "CHANGELOG.md",
    "gitignore.j2": ".gitignore",
    "ci.yml.j2": ".github/workflows/ci.yml",
}
#: A fragment of the README rather than a file.
_USE = "use.md.j2"
_PREFIX = "zoo-"
#: Zoo's own, and the names that would be taken for them.
_RESERVED = frozenset(("zoo", "zoo-reuse", "zoo-cli", "zoo-types", "zoo-testing", "zoo-plugins"))
#: Longer names would break lines of the rendered code.
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class PluginName:
    """What one word of a person becomes.

    Attributes:
        distribution: what is installed: ``zoo-margin``.
        module: what is imported: ``zoo_margin``.
        method: entry point, and what a person types: ``margin``; a source's is also a scheme.
    """

    distribution: str
    module: str
    method: str


def new_plugin(name: str, kind: str, folder: Path, *, author: str = "") -> tuple[Path, ...]:
    """Write a new distribution with one working plugin, all of it or nothing.

    Args:
        name: ``margin`` or ``zoo-margin``.
        kind: one of :data:`KINDS`.
        folder: where to; it may be there if it is empty.
        author: who is named in ``pyproject.toml``; empty: nobody yet.

    Returns:
        The files, in the order of their paths.

    Raises:
        InputError: a name that cannot be used, an unknown kind, a folder that is not free.
    """
    named = plugin_name(name, kind)
    check_author(author)
    target = Path(folder).expanduser().absolute()
    _check_free(target)
    rendered = render(named, kind, author=author)
    _write(target, rendered)
    return tuple(target / path for path in rendered)


def plugin_name(name: str, kind: str) -> PluginName:
    """Make the names of a plugin from what a person calls it.

    Raises:
        InputError: it cannot be used, and why; or there is no such kind.
    """
    if kind not in KINDS:
        raise unknown_name("kind of plugin", kind, KINDS, "zoo plugins new --help")
    hint = f"zoo plugins new margin --kind {kind}"
    plain = re.sub(r"[-_.]+", "-", name).lower()
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", plain):
        raise InputError(
            f"{name!r} cannot be the name of a distribution: letters, digits and hyphens, "
            "a letter first.",
            hint,
        )
    if plain in _RESERVED or f"{_PREFIX}{plain}" in _RESERVED:
        raise InputError(f"{name!r} is Zoo's own name.", hint)
    method = plain.removeprefix(_PREFIX)
    if not method[0].isalpha():
        raise InputError(f"{name!r}: what follows {_PREFIX!r} must start with a letter.", hint)
    if len(method) > _LONGEST:
        raise InputError(f"{name!r} has more than {_LONGEST} letters.", hint)
    if keyword.iskeyword(method) or keyword.issoftkeyword(method):
        raise InputError(f"{name!r} is a word of Python's own: {method}.", hint)
    named = PluginName(
        distribution=f"{_PREFIX}{method}",
        module=f"zoo_{method.replace('-', '_')}",
        # The scheme of a reference has no hyphens.
        method=method.replace("-", "_") if kind == "source" else method,
    )
    _check_unused(named, name)
    return named


def check_author(author: str) -> None:
    """Refuse what cannot stand on one line of ``pyproject.toml``.

    Raises:
        InputError: there are line breaks or control characters.
    """
    if not author.isprintable():
        raise InputError(f"the author {author!r} cannot be written on one line.")


def render(named: PluginName, kind: str, *, author: str = "") -> dict[str, str]:
    """Give path -> content of every file of the distribution, in the order of the paths."""
    templates = _environment()
    facts = {
        "name": named.distribution,
        "module": named.module,
        "method": named.method,
        "kind": kind,
        "about": KINDS[kind],
        "author": author,
    }
    places = {f"common/{template}": path for template, path in _COMMON.items()}
    for template in templates.list_templates():
        if template.startswith(f"{kind}/") and not template.endswith(_USE):
            places[template] = _place(template, named)
    found = {path: templates.get_template(each).render(facts) for each, path in places.items()}
    found[f"src/{named.module}/py.typed"] = ""
    return dict(sorted(found.items()))


def _place(template: str, named: PluginName) -> str:
    file = PurePosixPath(template).name.removesuffix(".j2")
    if file.endswith(".py") and not file.startswith("test_"):
        return f"src/{named.module}/{file}"
    return f"tests/{file}"


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("zoo", "template"),
        autoescape=False,  # noqa: S701 -- Python and TOML, no page
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    return found


def _check_unused(named: PluginName, name: str) -> None:
    """Refuse the name of what is installed, which the new module would hide or fight with."""
    if importlib.util.find_spec(named.module) is not None:
        raise InputError(
            f"{name!r}: the module {named.module} is installed already.",
            "Take another name, or uninstall it: zoo plugins list",
        )
    try:
        version = metadata.version(named.distribution)
    except metadata.PackageNotFoundError:
        return
    raise InputError(f"{name!r}: {named.distribution} {version} is installed already.")


def _check_free(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()):
            raise InputError(f"{target} is not empty.", "-o names another folder.")
        if target.samefile(Path.cwd()):
            raise InputError("the new folder cannot be the one you are in.", "-o zoo-NAME")
    elif target.exists() or target.is_symlink():
        raise InputError(f"{target} is no folder.", "-o names another.")


def _write(target: Path, files: Mapping[str, str]) -> None:
    """Write beside the target, then move: somebody who looks sees all of it or nothing."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as name:
            whole = Path(name) / target.name
            for path, text in files.items():
                file = whole / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8", newline="\n")
            if target.is_dir():  # an empty one, which Windows does not replace
                target.rmdir()
            whole.replace(target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
