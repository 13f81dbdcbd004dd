"""The reporter ``unseen``: what a classifier makes of a class that it never saw, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import NotApplicable
from zoo.types.reporting import LabelSpace
from zoo_explanation.alignment import IN_WORDS
from zoo_explanation.facts import source_of
from zoo_explanation.relations import Trained
from zoo_explanation.shown import clean
from zoo_explanation.zero_shot.accuracy import say_accuracy
from zoo_explanation.zero_shot.attended import attended, say_attended
from zoo_explanation.zero_shot.common import (
    say_attributes,
    say_paths,
    say_patterns,
)
from zoo_explanation.zero_shot.images import read_images
from zoo_explanation.zero_shot.prepared import Head, aligned, open_head, prepare

if TYPE_CHECKING:
    from zoo.types.explaining import Evidence
    from zoo.types.reporting import Case
    from zoo_explanation.alignment import Alignment
    from zoo_explanation.zero_shot.images import Images
    from zoo_explanation.zero_shot.prepared import Prepared

#: A class without a relative of this much information is too far from everything seen.
NEAREST = 0.3
_NEAR = 3


class Unseen:
    """Justifies a classifier of a class that is none of the head's (Geng et al., 2021)."""

    def report(self, case: Case) -> None:
        """Explain every class of ``case.unseen``."""
        if not case.unseen:
            raise NotApplicable("no class is named")
        head = open_head(case)
        space = LabelSpace(name="unseen", labels=case.unseen, source="what you asked for")
        targets = aligned(case, space, head.lexicon)
        read = case.ledger.observe(
            "record",
            case.model,
            "classes of the head",
            source=head.classifier.source,
            sha256=head.classifier.sha256,
            classes=len(head.sources),
            found=len(head.seen),
        )
        known = {each.label: _introduce(head, each) for each in targets}
        near = [each for each in targets if _near(head, each, known[each.label], read)]
        if not near:
            return
        nodes = [each.node for each in near if each.node is not None]
        try:
            prepared = prepare(head, nodes)
        except NotApplicable as error:
            prepared, lacking = None, error
        images = read_images(head) if prepared is not None else None
        for each in near:
            _explain(head, prepared, images, each, (known[each.label], read))
        if prepared is None:
            raise lacking
        if images is not None:
            say_accuracy(prepared, images, near, [read, *(known[each.label] for each in near)])
        else:
            _say_untried(case)


def _say_untried(case: Case) -> None:
    """Say that nothing was tried on pictures."""
    nothing = case.ledger.observe(
        "absence", case.model, "images that the head reads", source="--data", images=0
    )
    case.ledger.claim(
        "not known",
        "How often such a class would be recognised: no images were read that it could be tried "
        "on (--data names some).",
        nothing,
        models=(case.model,),
    )


def _introduce(head: Head, target: Alignment) -> Evidence | None:
    """Say what a class is taken for, or that the graph does not have it."""
    ledger, label = head.case.ledger, clean(target.label)
    if target.node is None:
        nothing = ledger.observe(
            "absence", label, "looked up", source=source_of(head.graph), how=IN_WORDS[target.how]
        )
        ledger.claim(
            "not known",
            "What '{label}' is: the graph has nothing of that name.",
            nothing,
            label=label,
        )
        return None
    lexicon, node = head.lexicon, target.node
    facts: dict[str, Any] = {
        "name": lexicon.name(node),
        "gloss": clean(lexicon.gloss(node)) or "without a definition",
        "how": IN_WORDS[target.how],
    }
    found = ledger.observe(
        "alignment",
        label,
        "stands for",
        source=source_of(head.graph),
        confirmed=target.confirmed,
        node=lexicon.iri(node),
        check=f"SELECT ?p ?o WHERE {{ <{lexicon.iri(node)}> ?p ?o }}",
        **facts,
    )
    ledger.claim(
        "known",
        "'{label}' is taken for '{name}' in the graph ({gloss}), by {how}.",
        found,
        label=label,
        **facts,
    )
    return found


def _near(head: Head, target: Alignment, known: Evidence | None, read: Evidence | None) -> bool:
    """Whether a class is unseen and near enough to a seen one; says so where it is not."""
    node, ledger = target.node, head.case.ledger
    if node is None:
        return False
    label, model = clean(target.label), head.case.model
    same = [place for place, each in enumerate(head.nodes) if each == node]
    if same:
        seen = head.name(same[0])
        fact = ledger.derive("alignment", label, "class of the head", of=(known, read), seen=seen)
        ledger.claim(
            "known",
            "'{label}' is no unseen class: the head has it, as '{seen}'.",
            fact,
            label=label,
            seen=seen,
            models=(model,),
        )
        return False
    relation = Trained(head.sources, head.lexicon).nearest(target)
    if relation.path is not None and relation.shared >= NEAREST:
        return True
    facts: dict[str, Any] = {"information": round(relation.shared, 6), "least": NEAREST}
    nothing = ledger.derive("absence", label, "nearest class", of=(known, read), **facts)
    ledger.claim(
        "not known",
        "Anything about '{label}' from this head: the nearest kind that it shares with one of its "
        "classes is a very general one (information content {information:.2f}; below {least:.1f} "
        "nothing is said).",
        nothing,
        label=label,
        models=(model,),
        **facts,
    )
    return False


def _explain(
    head: Head,
    prepared: Prepared | None,
    images: Images | None,
    target: Alignment,
    evidence: tuple[Evidence | None, Evidence | None],
) -> None:
    """Say which classes matter for one unseen class, and what they have in common with it."""
    node, label = target.node, clean(target.label)
    assert node is not None
    seen = nearest(head, node)
    if prepared is not None:
        found = attended(prepared, node, images, target.label)
        tried = (images.evidence,) if images is not None and found.images else ()
        if say_attended(head, prepared, label, found, (*evidence, *tried)):
            seen = [int(place) for place in found.top]
    told = say_paths(head, label, node, seen, evidence[0])
    said = say_attributes(head, label, node, told, evidence[0])
    say_patterns(head, label, node, told, said, of=evidence[0])


def nearest(head: Head, node: int) -> list[int]:
    """Give the seen classes that are most similar in the graph, one a node."""
    similar = np.array([head.lexicon.lin(node, each) for each in head.nodes])
    order = np.argsort(-similar, kind="stable")[: 4 * _NEAR]
    first = {head.nodes[place]: int(place) for place in order[::-1] if similar[place] > 0}
    return sorted(first.values(), key=lambda place: (-similar[place], place))[:_NEAR]
