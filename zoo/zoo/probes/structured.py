"""Structured labels, told by the names of the columns: captions, answers, boxes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from zoo.errors import InputError
from zoo.probes import boxes, features, label_texts
from zoo.probes.guess_inputs import choose_image, image_columns
from zoo.probes.guess_labels import has_label_name, has_label_values
from zoo.probes.words import LABEL_EXACT, flag, listed, normal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.probes.columns import Columns
    from zoo.types.probe import Task
    from zoo.types.protocols import ProbeOptions

Kind = Literal[
    "captioning",
    "referring expressions",
    "visual question answering",
    "text question answering",
]

_CAPTION = re.compile(r"captions?(_?\d+)?")
_EXPRESSIONS = ("expression", "expressions", "referring_expression", "sentence", "sentences")
_TASKS: dict[Kind, frozenset[Task]] = {
    "captioning": frozenset({"text", "classification"}),
    "referring expressions": frozenset({"regression"}),
    "visual question answering": frozenset({"text", "classification"}),
    "text question answering": frozenset({"text", "classification"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What a data set of structured labels reads and predicts.

    Attributes:
        kind: the task, in the words of the field.
        label: columns of the label.
        task: as in :class:`zoo.types.Probe`.
        image: the column of images; with texts as inputs, the one that boxes lie in.
        text: columns of the inputs, where they are texts.
        expression: the column of referring expressions, if there is one.
    """

    kind: Kind
    label: tuple[str, ...]
    task: Task
    image: str | None = None
    text: tuple[str, ...] = ()
    expression: str | None = None

    def notes(self) -> tuple[str, ...]:
        """Say what was understood."""
        inputs = f"text {listed(self.text)}" if self.text else f"image {self.image!r}"
        said = f"Read as {self.kind}: {inputs}; label {listed(self.label)}."
        return (said, self._meaning()) if self.task != "classification" else (said,)

    def _meaning(self) -> str:
        if self.kind == "captioning":
            return "Each label is a caption in lower case."
        if self.kind == "referring expressions":
            other = bool(self.expression and not self.text)
            more = f"; {flag('--text', str(self.expression))} reads the expressions instead"
            box = "Each label is a box: x0, y0, x1, y1 in shares of the image"
            return f"{box}{more if other else ''}."
        what = "a question with its answer" if len(self.label) > 1 else "an answer"
        classes = "--task classification takes the answers as classes"
        return f"Each label is {what}, in lower case; {classes}."


def find(columns: Columns, options: ProbeOptions, task: Task | None) -> Structure | None:
    """Find the one structured task that the columns are named for; None where they are not.

    Raises:
        InputError: they are named for two.
    """
    asked = bool(options.label) or task == "text"
    if not asked and any(normal(name) in LABEL_EXACT for name in columns.names):
        return None
    known = [
        each
        for found in (_captions, _boxes, _answers)
        for each in found(columns, options, task)
        if (task is None or task in _TASKS[each.kind]) and set(options.label) <= set(each.label)
    ]
    if len(known) > 1:
        said = [f"{each.kind} (label {listed(each.label)})" for each in known]
        flags = [" ".join(flag("--label", name) for name in each.label) for each in known]
        raise InputError(
            f"{columns.source!r} could be {' or '.join(said)}.",
            f"Say which: {' or '.join(flags)}.",
        )
    return _chosen(known[0], columns, options, task) if known else None


def _chosen(
    found: Structure, columns: Columns, options: ProbeOptions, task: Task | None
) -> Structure:
    """Settle what the options leave open."""
    image = found.image
    if found.kind == "referring expressions" or not (options.text or found.text):
        image = options.image or choose_image(columns, image_columns(columns, ()))
    text = options.text or (() if options.image else found.text)
    label = found.label if found.kind == "referring expressions" else options.label or found.label
    return replace(found, label=label, task=task or found.task, image=image, text=text)


def _captions(columns: Columns, options: ProbeOptions, task: Task | None) -> Iterator[Structure]:
    images = image_columns(columns, ())
    if not images or options.text:
        return
    light = columns.light.column_names
    asked = bool(options.label) or task == "text"
    skip = {columns.split(), *images}
    names = [
        name
        for name in light
        if _CAPTION.fullmatch(normal(name)) and label_texts.is_textual(columns.type(name))
    ]
    if not names:
        # A column called text may be anything; it is the caption where nothing else is a label.
        names = [each for each in light if normal(each) == "text" and each not in skip]
        names = [each for each in names if label_texts.is_textual(columns.type(each))]
        if names and not asked and has_label_values(columns, {*skip, *names}):
            return
    if names and (asked or not has_label_name(columns, {*skip, *names})):
        yield Structure(kind="captioning", label=tuple(names), task="text")


def _answers(columns: Columns, options: ProbeOptions, task: Task | None) -> Iterator[Structure]:
    by_name = {normal(name): name for name in reversed(columns.light.column_names)}
    question, context = by_name.get("question"), by_name.get("context")
    answer = by_name.get("answer") or by_name.get("answers")
    if not question or not answer or answer in options.text:
        return
    kind = columns.type(answer)
    if not label_texts.is_readable(kind) or str(kind) == "bool":
        return
    if not options.text and (options.image or image_columns(columns, ())):
        label = (answer,) if task == "classification" else (question, answer)
        yield Structure(kind="visual question answering", label=label, task="text")
    elif context or options.text or task == "text":
        text = (question, context) if context else (question,)
        yield Structure(kind="text question answering", label=(answer,), task="text", text=text)


def _boxes(columns: Columns, options: ProbeOptions, _: Task | None) -> Iterator[Structure]:
    if not (options.image or image_columns(columns, ())):
        return
    by_name = {normal(name): name for name in reversed(columns.light.column_names)}
    expression = next((by_name[each] for each in _EXPRESSIONS if each in by_name), None)
    found = [(by_name[each],) for each in boxes.SINGLE if each in by_name]
    found = [names for names in found if _holds_boxes(columns, names[0])]
    found = found or [
        tuple(by_name[each] for each in four)
        for four in boxes.FOURS
        if all(each in by_name and _is_number(columns, by_name[each]) for each in four)
    ]
    for names in found:
        if options.label:
            meant = {*options.label} == {*names}
        else:
            meant = expression is not None and not {*options.text} & {*names}
        if meant:
            yield Structure(
                kind="referring expressions",
                label=names,
                task="regression",
                expression=expression,
            )


def _holds_boxes(columns: Columns, name: str) -> bool:
    kind = columns.type(name)
    return features.is_list(kind) or features.is_text(kind)


def _is_number(columns: Columns, name: str) -> bool:
    return features.is_whole(columns.type(name)) or features.is_real(columns.type(name))
