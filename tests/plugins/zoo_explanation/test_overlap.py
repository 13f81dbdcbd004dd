"""The overlap reporter: what it says, what it leaves open, and that each word has its evidence."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from pyoxigraph import RdfFormat, parse, serialize

from zoo.errors import InputError, NotApplicable
from zoo.explaining.checking import unsupported_claims
from zoo.explaining.ledger import Ledger
from zoo.explaining.telling import compose
from zoo.graph import Graph
from zoo.types.ranking import RankingRow
from zoo.types.reporting import Case, LabelSpace
from zoo_explanation.overlap import Overlap

SHARED = Path(os.environ.get("ZOO_SHARED_DATA", "../shared/data")).resolve()
TURTLE = """
@prefix : <urn:x:> .
@prefix s: <http://www.w3.org/2004/02/skos/core#> .
@prefix wn: <https://globalwordnet.github.io/schemas/wn#> .
:thing s:prefLabel "physical entity"@en ; s:definition "a thing"@en .
:animal s:prefLabel "animal"@en ; wn:hypernym :thing ; wn:lexfile "animal" .
:dog s:prefLabel "dog"@en ; wn:hypernym :animal ; s:definition "a domestic canid"@en ;
     wn:mero_part :paw, :tail ; wn:lexfile "animal" .
:beagle s:prefLabel "beagle"@en ; wn:hypernym :dog ; wn:lexfile "animal" .
:pug s:prefLabel "pug"@en ; wn:hypernym :dog ; wn:lexfile "animal" .
:seal1 s:prefLabel "seal"@en ; wn:hypernym :animal ; s:definition "a marine mammal"@en ;
     wn:lexfile "animal" .
:seal2 s:prefLabel "seal"@en ; wn:hypernym :tool ; s:definition "a stamp of wax"@en ;
     wn:lexfile "artifact" .
:tool s:prefLabel "tool"@en ; wn:hypernym :thing ; wn:lexfile "artifact" .
:hammer s:prefLabel "hammer"@en ; wn:hypernym :tool ; wn:lexfile "artifact" .
:paw s:prefLabel "paw"@en ; wn:hypernym :thing . :tail s:prefLabel "tail"@en ; wn:hypernym :thing .
""" + "\n".join(
    f':a{each} s:prefLabel "animal {each}"@en ; wn:hypernym :animal ; wn:lexfile "animal" .\n'
    f':t{each} s:prefLabel "tool {each}"@en ; wn:hypernym :tool ; wn:lexfile "artifact" .'
    for each in range(60)
)
MINE = LabelSpace(name="photos", labels=("beagle", "pug", "seal"), source="photos/labels")
DOGS = LabelSpace(name="m/dogs", labels=("beagle", "dog", "animal 3"), source="m/dogs/config.json")
TOOLS = LabelSpace(name="m/tools", labels=("hammer", "tool 4"), source="m/tools/config.json")
NUMBERS = LabelSpace(name="m/numbers", labels=("LABEL_0", "LABEL_1"))
CHOSEN = {"beagle": "urn:x:beagle", "pug": "urn:x:pug", "seal": "urn:x:seal1"}


@pytest.fixture(scope="module")
def graph():
    triples = parse(TURTLE, format=RdfFormat.TURTLE)
    return Graph.in_memory(pets=serialize(triples, format=RdfFormat.N_TRIPLES))


def told(graph, *spaces, target=MINE, withheld=(), **options):
    names = [each.name for each in spaces]
    case = Case(
        ledger=Ledger("overlap", withheld),
        model=names[0] if names else "m/headless",
        against=names[1] if len(names) > 1 else "",
        target=target,
        spaces={each.name: each for each in spaces},
        graph=graph,
        **options,
    )
    Overlap().report(case)
    report = compose([case.ledger], [], case, subject="ranking", title="")
    assert unsupported_claims(report) == []
    assert report.failures == ()
    return report


def texts(report):
    return [each.text for each in (*report.claims, *report.unknown)]


def said(report, words):
    return [each for each in texts(report) if words in each]


def test_classes_are_counted_for_both_models_and_shown_with_their_paths(graph):
    report = told(graph, DOGS, TOOLS, senses=CHOSEN)
    assert said(report, "1 of your 3 classes is a training class of dogs (beagle); none of tools.")
    assert said(report, "'pug' is 'dog', a broader class: pug → dog.")
    assert [each.kind for each in report.figures] == ["path"] * len(report.figures)
    (path,) = report.figures[0].data["paths"]
    assert len(path["links"]) == len(path["nodes"]) - 1
    assert said(report, "pets lists paw and tail as parts of 'dog'")


def test_every_fact_can_be_found_again_by_its_query(graph):
    report = told(graph, DOGS, senses=CHOSEN)
    facts = [each for each in report.evidence if each.check.startswith("SELECT")]
    assert {each.predicate for each in facts} >= {"hypernym path", "is taken for"}
    for each in facts:
        assert list(graph.query(each.check)), each
        assert each.triples


def test_a_swapped_sense_shows_the_gloss_of_the_swapped_sense(graph):
    right = told(graph, DOGS, senses=CHOSEN)
    wrong = told(graph, DOGS, senses={**CHOSEN, "seal": "urn:x:seal2"})
    assert said(right, "As you chose, 'seal' means 'seal': a marine mammal.")
    assert said(wrong, "As you chose, 'seal' means 'seal': a stamp of wax.")


def test_a_sense_that_is_none_is_refused(graph):
    with pytest.raises(InputError, match="seal"):
        told(graph, DOGS, senses={"seal": "seal#9"})


def test_guesses_are_shown_with_their_gloss_and_make_everything_tentative(graph):
    report = told(graph, DOGS)
    assert said(report, "'seal' was taken for 'seal' (a marine mammal), by its name")
    assert said(report, "100 % of the matches of your classes are guesses")
    assert report.claims
    assert all(each.tentative for each in report.claims)


def row(model, rank, score, *tied):
    return RankingRow(
        model=model,
        rank=rank,
        score=score,
        interval=(score - 0.05, score + 0.05),
        tied=bool(tied),
        tied_with=tied,
        layer="x",
        estimators={},
    )


def test_an_overlap_against_the_order_is_said_unless_the_models_are_tied(graph):
    clear = SimpleNamespace(run="r", ranking=(row("m/tools", 1, 0.75), row("m/dogs", 2, 0.25)))
    report = told(graph, DOGS, TOOLS, senses=CHOSEN, ranking=clear)
    (claim,) = [each for each in report.claims if "speaks against" in each.text]
    assert claim.text.startswith("dogs was trained on more of your classes (1 against 0), and yet ")
    assert "tools is ranked above it, with a score of 0.75 against 0.25" in claim.text
    assert claim.prefers == "m/tools"
    even = SimpleNamespace(
        run="r",
        ranking=(row("m/tools", 1, 0.5, "m/dogs"), row("m/dogs", 2, 0.5, "m/tools")),
    )
    assert not said(told(graph, DOGS, TOOLS, senses=CHOSEN, ranking=even), "speaks against")
    agreeing = SimpleNamespace(run="r", ranking=(row("m/dogs", 1, 0.7), row("m/tools", 2, 0.2)))
    assert not said(told(graph, DOGS, TOOLS, senses=CHOSEN, ranking=agreeing), "speaks against")


def test_labels_that_say_nothing_give_the_sentence_that_says_so(graph):
    report = told(graph, NUMBERS, senses=CHOSEN)
    expected = (
        "The labels of numbers carry no usable meaning; no statement about class overlap is made."
    )
    assert expected in texts(report)
    assert not said(report, "training class")


def test_classes_that_are_numbers_or_unknown_are_listed_as_not_known(graph):
    numbers = told(graph, DOGS, target=LabelSpace(name="p", labels=("LABEL_0", "LABEL_1")))
    assert said(numbers, "Your labels are numbers (LABEL_0 and LABEL_1)")
    unknown = told(graph, DOGS, target=LabelSpace(name="p", labels=("qwertz", "<b>x</b>")))
    assert said(unknown, "None of your 2 classes could be found in pets (qwertz and <b>x</b>)")
    assert (numbers.claims, unknown.claims) == ((), ())


def test_a_link_that_is_only_expected_stays_not_known(graph):
    from zoo.completing.predictions import Prediction, iri_of_name, prediction_id, write_predictions
    from zoo.graph.terms import BROADER

    triples = serialize(parse(TURTLE, format=RdfFormat.TURTLE), format=RdfFormat.N_TRIPLES)
    own = Graph.in_memory(pets=triples)
    subject = iri_of_name("puggle")
    link = Prediction(
        id=prediction_id(subject, BROADER[0], "urn:x:dog", "m"),
        subject=subject,
        label="puggle",
        relation=BROADER[0],
        object="urn:x:dog",
        object_label="dog",
        probability=0.41,
        method="m",
    )
    write_predictions(own, [link], {"seed": "0"})
    report = told(own, DOGS, target=LabelSpace(name="p", labels=("puggle", "beagle")))
    (claim,) = [each for each in report.unknown if "is expected" in each.text]
    assert "with a score of 0.41" in claim.text
    assert not any("puggle" in each.text for each in report.claims)


def test_models_of_the_same_classes_are_not_told_apart(graph):
    twin = msgspec.structs.replace(DOGS, name="m/twin")
    report = told(graph, DOGS, twin, senses=CHOSEN)
    assert said(report, "dogs and twin were trained on the same 3 classes")
    assert len(said(report, "is a training class of")) == 1


@pytest.mark.parametrize("empty", [None, Graph.in_memory()], ids=["no graph", "an empty one"])
def test_without_a_graph_only_equal_names_are_told_and_what_is_missing(empty):
    report = told(empty, DOGS, TOOLS)
    assert said(report, "1 of your 3 classes has a name that dogs has as well")
    assert said(report, "None of the names of your 3 classes is the name of a class of tools.")
    assert said(report, "zoo graph fetch wordnet")
    assert report.figures == ()


def test_a_model_without_a_head_and_data_without_names_are_not_known(graph):
    assert said(told(graph), "The files of headless name no classes")
    with pytest.raises(NotApplicable):
        told(graph, DOGS, target=LabelSpace(name="p", labels=()))


def test_the_same_input_gives_the_same_bytes(graph):
    once, again = (msgspec.json.encode(told(graph, DOGS, TOOLS, senses=CHOSEN)) for _ in range(2))
    assert once == again


def test_without_its_evidence_a_claim_is_gone(graph):
    whole = told(graph, DOGS, TOOLS, senses=CHOSEN)
    for evidence in whole.evidence:
        rest = told(graph, DOGS, TOOLS, senses=CHOSEN, withheld=[evidence.id])
        based = {each.id for each in whole.evidence if evidence.id in each.derived_from}
        lost = {
            each.text
            for each in (*whole.claims, *whole.unknown)
            if {evidence.id, *based} & set(each.evidence)
        }
        assert lost
        assert not lost & set(texts(rest)), evidence


def test_a_path_of_the_shared_graph_leads_from_the_beagle_to_the_dog():
    path = SHARED / "knowledge_graph" / "kg_core.nt.gz"
    if not path.exists():
        pytest.skip(f"no {path}; set ZOO_SHARED_DATA to run this test")
    core = Graph.in_memory(wordnet=gzip.decompress(path.read_bytes()))
    pets = LabelSpace(name="pets", labels=("Beagle", "Pug", "Bengal", "Maine Coon"))
    cifar = LabelSpace(name="m/cifar", labels=("airplane", "bird", "cat", "dog", "frog", "ship"))
    report = told(core, cifar, target=pets)
    assert said(report, "'Beagle' is 'dog', a broader class: beagle → hound → hunting dog → dog.")
    assert said(report, "2 of your 4 classes could not be found in wordnet: Bengal and Maine Coon.")
    assert not any(each.tentative for each in report.claims)
    config = SHARED / "zoo" / "mobilenet_v1_0.25_128" / "config.json"
    if config.exists():
        names = json.loads(config.read_text())["id2label"]
        labels = tuple(names[each] for each in sorted(names, key=int))
        report = told(core, LabelSpace(name="m/net", labels=labels), target=pets)
        assert said(report, "2 of your 4 classes are training classes of net (Beagle and Pug).")
