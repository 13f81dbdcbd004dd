"""The senses that a person chooses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.errors import InputError, unknown_name
from zoo_explanation.alignment.automatic import look_up
from zoo_explanation.alignment.labels import key
from zoo_explanation.alignment.values import Alignment
from zoo_explanation.lexicon.nodes import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo.types import LabelSpace
    from zoo_explanation.lexicon import Lexicon

_NUMBERED = re.compile(r"(.+)#(\d+)")
_SHOWN = 8


def by_choice(
    space: LabelSpace, lexicon: Lexicon, senses: Mapping[str, str]
) -> dict[int, Alignment]:
    """Align what the person chose a sense for.

    Raises:
        InputError: a sense is none; with what the label may mean.
    """
    chosen = {key(label): value for label, value in senses.items()}
    return {
        place: Alignment(
            label=label, node=sense_of(label, chosen[key(label)], lexicon), how="chosen"
        )
        for place, label in enumerate(space.labels)
        if key(label) in chosen
    }


def check_senses(senses: Mapping[str, str], spaces: Iterable[LabelSpace]) -> None:
    """Refuse senses of labels that nothing has.

    Raises:
        InputError: with the nearest label.
    """
    labels = {label for space in spaces for label in space.labels}
    known = {key(label) for label in labels}
    for label in senses:
        if key(label) not in known:
            raise unknown_name("label", label, labels)


def sense_of(label: str, choice: str, lexicon: Lexicon) -> int:
    """Read a choice: an IRI, a WordNet id, ``lemma#2``, a lemma of one sense, or gloss words.

    Raises:
        InputError: it fits no sense, or several; with what the label may mean.
    """
    choice = choice.strip().strip("<>")
    node = lexicon.node(choice)
    if node is None:
        node = lexicon.by_wnid(choice)
    if node is not None:
        return node
    own = look_up(label, lexicon).senses
    numbered = _NUMBERED.fullmatch(choice)
    if numbered:
        options = lexicon.senses(numbered[1])
        place = int(numbered[2])
        if 1 <= place <= len(options):
            return options[place - 1]
        raise _wrong(label, choice, options or own, lexicon)
    words = set(folded(choice).split())
    by_gloss = [node for node in own if words and words <= _words_of(node, lexicon)]
    by_lemma = lexicon.senses(choice)
    fitting = by_lemma if len(by_lemma) == 1 and by_lemma[0] not in by_gloss else by_gloss
    if len(fitting) == 1:
        return fitting[0]
    raise _wrong(label, choice, fitting or by_lemma or own, lexicon)


def _words_of(node: int, lexicon: Lexicon) -> set[str]:
    above = [lexicon.name(each) for each in lexicon.ancestors(node)]
    text = " ".join((lexicon.gloss(node), *lexicon.lemmas(node), *above))
    return set(re.findall(r"[\w'-]+", folded(text)))


def _wrong(label: str, choice: str, options: list[int], lexicon: Lexicon) -> InputError:
    if not options:
        return InputError(
            f"{choice!r} is no sense of the label {label!r}: the graph has no such word.",
            "Type the IRI of a node; zoo graph show WORD finds it.",
        )
    shown = "; ".join(
        f"{lexicon.iri(node)} ({lexicon.name(node)}: {lexicon.gloss(node) or 'no gloss'})"
        for node in options[:_SHOWN]
    )
    rest = f"; and {len(options) - _SHOWN} more" if len(options) > _SHOWN else ""
    return InputError(
        f"{choice!r} is not one sense of the label {label!r}.",
        f"It may mean: {shown}{rest}. Type --sense {label!r}=IRI with one of them.",
    )
