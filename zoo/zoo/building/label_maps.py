"""The label map: a YAML file that says label by label what the student calls it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from zoo.building.label_spaces import distinct, fold, space_of
from zoo.errors import InputError
from zoo.files import write_atomically
from zoo.probes.words import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from zoo.building.label_spaces import LabelSpace, TeacherHead

_EXPLANATION = """\
# Label map: what the student calls each label of each teacher.
#
#   alias of the teacher:
#     label of the teacher: label of the student
#
# Labels of several teachers that are given one name here become one label of the student, which
# all of them teach (--targets union). Two labels of one teacher cannot become one.
# Write ~ in place of the student's label to leave one out.
# Every label of every teacher has to be here once.
"""


def write_map(space: LabelSpace, path: Path) -> None:
    """Write a label map to edit; :func:`read_map` gives ``space`` back.

    Raises:
        InputError: the file cannot be written.
    """
    import yaml

    document = {
        teacher.alias: {
            name: None if column is None else space.labels[column]
            for name, column in zip(distinct(teacher.labels), teacher.columns, strict=True)
        }
        for teacher in space.teachers
    }

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
        """Writes ``~`` for None, and quotes words that plain YAML would not give back."""

    Dumper.add_representer(type(None), _tilde)
    Dumper.add_representer(str, _word)
    text = yaml.dump(document, Dumper=Dumper, allow_unicode=True, sort_keys=False, width=10_000)
    try:
        write_atomically(path, f"{_EXPLANATION}{text}".encode())
    except OSError as error:
        raise InputError(f"the label map {str(path)!r} cannot be written: {error}.") from error


def _word(dumper: Any, text: str) -> Any:
    # Plain and single-quoted scalars fold line breaks, of which Unicode has several.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _tilde(dumper: Any, _: None) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:null", "~")


def read_map(path: Path, heads: Sequence[TeacherHead]) -> LabelSpace:
    """Read a label map for these teachers.

    Raises:
        InputError: what is wrong with it: where, with which label, and what to write instead.
    """
    found = _teachers(path)
    aliases = [head.alias for head in heads]
    for alias in found:
        if alias not in aliases:
            raise InputError(
                f"{str(path)!r} maps a teacher {alias!r} that is not there."
                f"{did_you_mean(alias, aliases)}",
                f"The teachers are {listed(aliases, quote=False)}.",
            )
    names: list[str | None] = []
    for head in heads:
        if head.alias not in found:
            raise InputError(
                f"{str(path)!r} does not say what becomes of the labels of teacher {head.alias}.",
                f"Add a block '{head.alias}:' with its {len(head.labels)} labels "
                "(--write-label-map FILE writes a whole map).",
            )
        names += _mapped(path, head, found[head.alias])
    if not any(name is not None for name in names):
        raise InputError(f"{str(path)!r} leaves out every label.", "Keep at least one.")
    return space_of(heads, names)


def _mapped(path: Path, head: TeacherHead, entries: Mapping[str, str | None]) -> list[str | None]:
    """Give the student's label for every logit of one teacher."""
    where = f"{str(path)!r}, teacher {head.alias}"
    known = distinct(head.labels)
    strange = sorted(entries.keys() - set(known))
    if strange:
        raise InputError(
            f"{where}: it has no label {strange[0]!r}.{did_you_mean(strange[0], known)}",
            "Labels are written exactly as the teacher's configuration spells them.",
        )
    missing = [each for each in known if each not in entries]
    if missing:
        raise InputError(
            f"{where}: {listed(missing, most=3)} {'is' if len(missing) == 1 else 'are'} missing.",
            f"Add a line '{missing[0]}: {missing[0]}', or '{missing[0]}: ~' to leave it out.",
        )
    names = [entries[each] for each in known]
    counts = Counter(fold(each) for each in names if each is not None)
    for label, name in entries.items():
        if name is not None and counts[fold(name)] > 1:
            others = [a for a, b in entries.items() if b is not None and fold(b) == fold(name)]
            raise InputError(
                f"{where}: {listed(others, most=3)} all become {name!r}, and a label of the "
                "student can have one label of each teacher.",
                f"Give them names of their own, or leave all but one out ('{label}: ~').",
            )
    if all(each is None for each in names):
        raise InputError(
            f"{where}: every label is left out, so it has nothing to teach.",
            f"Keep one of its labels, or leave out --teacher {head.alias}=...",
        )
    return names


def _teachers(path: Path) -> dict[str, dict[str, str | None]]:
    """Read the two levels of the file, every word as it is written (``no`` is a label)."""
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the label map {str(path)!r} cannot be read: {error}.",
            "--write-label-map FILE makes one to edit.",
        ) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise InputError(
            f"the label map {str(path)!r} is not YAML: {' '.join(str(error).split())}.",
            "A label with a colon, a # or quotes in it has to be in quotes.",
        ) from error
    blocks = _pairs(path, root, "teachers", "Write 'alias:' and its labels, indented, under it.")
    return {
        alias: {
            label: _label(path, alias, label, value)
            for label, value in _pairs(
                path, node, f"labels of teacher {alias}", "Write 'label: label of the student'."
            ).items()
        }
        for alias, node in blocks.items()
    }


def _pairs(path: Path, node: Any, what: str, hint: str) -> dict[str, Any]:
    """Give key -> node of a mapping whose keys are words, each there once."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{str(path)!r}{_line(node)}: here should be the {what}.", hint)
    pairs: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise InputError(f"{str(path)!r}{_line(key)}: a name should be one word.", hint)
        if key.value in pairs:
            raise InputError(
                f"{str(path)!r}{_line(key)}: {key.value!r} is there twice.", "Leave one of them."
            )
        pairs[key.value] = value
    return pairs


def _label(path: Path, alias: str, label: str, node: Any) -> str | None:
    import yaml

    where = f"{str(path)!r}{_line(node)}, teacher {alias}, label {label!r}"
    if not isinstance(node, yaml.ScalarNode):
        raise InputError(f"{where}: it should become one label.", f"Write '{label}: {label}'.")
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if not node.value.strip():
        raise InputError(
            f"{where}: the student's label is empty.", f"Write '{label}: ~' to leave it out."
        )
    return str(node.value)


def _line(node: Any) -> str:
    return f", line {node.start_mark.line + 1}" if node is not None else ""
