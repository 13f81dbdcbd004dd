"""Labels of several teachers become those of one student, by name and never by position."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.building.label_decisions import make_space, names_in, problems
from zoo.building.label_maps import read_map, write_map
from zoo.building.label_spaces import (
    TeacherHead,
    columns_of,
    config_entries,
    describe,
    distinct,
    fold,
    keep,
    overlaps,
    separate,
    space_in,
    union,
)
from zoo.errors import InputError


def head(alias, *labels, kind="classification"):
    return TeacherHead(
        alias=alias, model=f"org/{alias}", revision="c0ffee", labels=labels, kind=kind
    )


BIRDS = head("birds", "crane", "jay", "owl")
MACHINES = head("machines", "digger", " Crane")

#: Labels as configurations have them: any text, alike, doubled, blank, with YAML's own words.
LABEL = st.one_of(
    st.sampled_from(["crane", "Crane", " crane ", "a/crane", "crane #0", "#1", "", "no", "~", "1"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)
HEADS = st.lists(st.lists(LABEL, min_size=1, max_size=5), min_size=1, max_size=3).map(
    lambda sets: [head(f"t{n}", *labels) for n, labels in enumerate(sets)]
)
NAMED = HEADS.filter(lambda heads: not overlaps(heads).placeholders)


def _is_sound(space, heads):
    folded = [fold(each) for each in space.labels]
    assert len(set(folded)) == len(folded)
    assert [each.labels for each in space.teachers] == [each.labels for each in heads]
    taught = {column for each in space.teachers for column in each.block}
    assert taught == set(range(len(space.labels)))
    for each in space.teachers:
        assert len(each.block) == len(set(each.block))


def test_disjoint_labels_stand_one_teacher_after_the_other():
    space = separate([head("a", "x", "y"), head("b", "z")])
    assert space.labels == ("x", "y", "z")
    assert space.columns == ((0, 1), (2,))
    assert describe(space) == "2 + 1, 0 shared names"


def test_every_label_of_a_name_that_two_teachers_have_gets_its_alias_in_front():
    space = separate([BIRDS, MACHINES])
    assert space.labels == ("birds/crane", "jay", "owl", "digger", "machines/Crane")


def test_a_union_matches_names_whatever_their_case_spaces_and_order():
    space = union([head("a", "cat", "polar  bear", "dog"), head("b", "Dog", "Polar bear", "emu")])
    assert space.labels == ("cat", "polar  bear", "dog", "emu")
    assert space.columns == ((0, 1, 2), (2, 1, 3))
    assert space.shared == ("polar  bear", "dog")
    assert describe(space) == "3 + 3, 2 shared names, 4 outputs"


def test_a_union_never_matches_what_is_only_like():
    assert union([head("a", "grey owl"), head("b", "gray owl")]).shared == ()


def test_labels_that_one_teacher_has_twice_stay_two():
    assert distinct(["crane", "owl", "Crane"]) == ("crane #0", "owl", "Crane #2")
    twice = head("a", "crane", "owl", "crane")
    assert union([twice, head("b", "crane")]).shared == ()
    assert len(union([twice, head("b", "crane", "owl", "crane")]).labels) == 3


@settings(max_examples=80, deadline=None)
@given(heads=HEADS)
def test_separate_labels_give_every_logit_its_own_column(heads):
    space = separate(heads)
    _is_sound(space, heads)
    assert len(space.labels) == sum(len(each.labels) for each in heads)
    assert [c for one in space.columns for c in one] == list(range(len(space.labels)))


@settings(max_examples=80, deadline=None)
@given(heads=NAMED)
def test_a_union_keeps_every_logit_of_every_teacher(heads):
    space = union(heads)
    _is_sound(space, heads)
    assert all(None not in one for one in space.columns)
    assert len(space.shared) == len(overlaps(heads).names)


@settings(max_examples=60, deadline=None)
@given(heads=NAMED, joined=st.booleans(), data=st.data())
def test_a_label_map_and_a_configuration_give_the_space_back(heads, joined, data, tmp_path_factory):
    space = union(heads) if joined else separate(heads)
    wanted = data.draw(st.lists(st.sampled_from(space.labels), min_size=1))
    with contextlib.suppress(InputError):  # where it leaves nothing of a teacher
        space = keep(space, wanted)
    path = tmp_path_factory.mktemp("maps") / "labels.yaml"
    write_map(space, path)
    assert read_map(path, heads) == space
    written = json.loads(json.dumps(config_entries(space)))
    assert space_in(written) == space
    assert {int(v): k for k, v in written["label2id"].items()} == dict(enumerate(space.labels))
    assert [int(each) for each in written["id2label"]] == list(range(len(space.labels)))


def test_a_configuration_without_label_spaces_has_none():
    assert space_in({"id2label": {"0": "x"}}) is None


def test_keeping_some_labels_renumbers_the_columns_and_leaves_the_rest_out():
    space = keep(separate([BIRDS, head("b", "digger", "lorry")]), ["Lorry", "owl"])
    assert space.labels == ("owl", "lorry")
    assert space.columns == ((None, None, 0), (None, 1))
    assert describe(space) == "3 + 2, 0 shared names, 3 left out, 2 outputs"


def test_keeping_a_label_that_is_not_there_asks_for_the_one_that_was_meant():
    space = separate([BIRDS, MACHINES])
    with pytest.raises(InputError, match=r"no label 'ovl'\. Did you mean 'owl'\?"):
        keep(space, ["ovl"])
    with pytest.raises(InputError, match="'birds/crane' or 'machines/Crane'"):
        keep(space, ["crane"])


def test_keeping_nothing_of_a_teacher_is_refused():
    with pytest.raises(InputError, match="no label of teacher machines") as caught:
        keep(separate([BIRDS, MACHINES]), ["jay"])
    assert "--teacher machines" in caught.value.hint


def test_names_to_keep_come_from_the_command_line_or_a_file(tmp_path):
    file = tmp_path / "keep.txt"
    file.write_text("# birds\nowl\n\n great  tit \nowl\n", encoding="utf-8")
    assert names_in(["jay, blue", str(file), "jay, blue"]) == ("jay, blue", "owl", "great  tit")
    file.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no labels"):
        names_in([str(file)])
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read as text"):
        names_in([str(file)])


def test_teachers_with_other_names_need_no_decision():
    assert make_space([BIRDS, head("b", "digger")], targets="concat").labels[-1] == "digger"


@pytest.mark.parametrize("targets", ["concat", "standardised", "gated", "per_teacher"])
def test_shared_labels_need_a_decision(targets):
    with pytest.raises(InputError) as caught:
        make_space([BIRDS, MACHINES], targets=targets)
    assert caught.value.message == (
        "teachers birds and machines share 1 label ('crane'), and nothing says whether it is the "
        "same class."
    )
    for way in ("--labels union", "--labels separate", "--labels FILE"):
        assert way in caught.value.hint
    assert make_space([BIRDS, MACHINES], targets=targets, labels="separate").shared == ()
    assert make_space([BIRDS, MACHINES], targets="union").shared == ("crane",)


def test_the_same_names_in_another_order_are_seen_and_matched_by_name():
    heads = [head("a", "x", "y", "z"), head("b", "z", "x", "y")]
    assert overlaps(heads).reordered == (("a", "b"),)
    with pytest.raises(InputError, match=r"share 3 labels \('x', 'y' and 'z'\) in a different ord"):
        make_space(heads, targets="standardised")
    assert make_space(heads, targets="union").columns == ((0, 1, 2), (2, 0, 1))
    assert overlaps([head("a", "x", "y"), head("b", "X", "y ")]).reordered == ()


def test_placeholders_are_never_matched():
    heads = [head("a", "LABEL_0", "LABEL_1"), head("b", "LABEL_0", "LABEL_1")]
    with pytest.raises(InputError, match="placeholders that say nothing"):
        make_space(heads, targets="union")
    with pytest.raises(InputError) as caught:
        make_space(heads, targets="concat")
    assert "--labels union" not in caught.value.hint
    space = make_space(heads, targets="union", labels="separate")
    assert space.labels == ("a/LABEL_0", "a/LABEL_1", "b/LABEL_0", "b/LABEL_1")


def test_a_label_map_that_shares_labels_asks_for_union_targets(tmp_path):
    path = tmp_path / "labels.yaml"
    write_map(union([BIRDS, MACHINES]), path)
    with pytest.raises(InputError, match="taught by several teachers") as caught:
        make_space([BIRDS, MACHINES], targets="gated", label_map=path)
    assert "--targets union" in caught.value.hint
    assert make_space([BIRDS, MACHINES], targets="union", label_map=path).shared == ("crane",)
    with pytest.raises(InputError, match="say two things"):
        make_space([BIRDS, MACHINES], targets="union", labels="separate", label_map=path)


@pytest.mark.parametrize("targets", ["union", "per_teacher"])
def test_a_lone_label_has_nothing_to_be_compared_with(targets):
    heads = [BIRDS, head("b", "digger", "lorry")]
    with pytest.raises(InputError, match=r"teacher b has one label \('lorry'\)"):
        make_space(heads, targets=targets, kept=["jay", "owl", "lorry"])
    assert make_space(heads, targets="concat", kept=["jay", "lorry"]).labels == ("jay", "lorry")


def test_only_heads_that_tell_classes_apart_give_soft_targets():
    heads = [
        BIRDS,
        head("a"),
        head("b", "x", kind="multi-label"),
        head("c", "x", kind="regression"),
    ]
    said = [each.message for each in problems(heads)]
    assert [each.split(" (")[0] for each in said] == ["teacher a", "teacher b", "teacher c"]
    assert "no trained head" in said[0]
    assert "several labels at once" in said[1]
    assert "numbers, not classes" in said[2]
    with pytest.raises(InputError, match="teacher a"):
        make_space(heads, targets="concat")


GOOD = {
    "birds": ["crane: crane", "jay: jay", "owl: owl"],
    "machines": ["digger: digger", "' Crane': crane"],
}


def _written(tmp_path, **changes):
    blocks = {**GOOD, **changes}
    lines = [f"{alias}:\n" + "".join(f"  {e}\n" for e in each) for alias, each in blocks.items()]
    path = tmp_path / "labels.yaml"
    path.write_text("".join(lines), encoding="utf-8")
    return path


def test_a_person_may_rename_share_and_leave_out(tmp_path):
    path = _written(
        tmp_path, birds=["owl: 0", "crane: no", "jay: ~"], machines=["digger:", "' Crane': NO"]
    )
    space = read_map(path, [BIRDS, MACHINES])
    assert space.labels == ("no", "0")
    assert space.columns == ((0, None, 1), (None, 0))


@pytest.mark.parametrize(
    ("changes", "said", "hint"),
    [
        (
            {"bird": ["crane: x"]},
            "teacher 'bird' that is not there. Did you mean 'birds'",
            "birds and",
        ),
        (
            {"birds": ["crane: x", "jai: y"]},
            "teacher birds: it has no label 'jai'. Did you mean 'jay'",
            "exactly",
        ),
        ({"birds": ["crane: x", "jay: y"]}, "teacher birds: 'owl' is missing", "'owl: ~'"),
        ({"birds": ["crane: x"]}, "'jay' and 'owl' are missing", "'jay: jay'"),
        (
            {"birds": ["crane: x", "jay: X", "owl: y"]},
            "'crane' and 'jay' all become 'x'",
            "of their own",
        ),
        (
            {"birds": ["crane: ~", "jay: ~", "owl: ~"]},
            "teacher birds: every label is left out",
            "--teacher birds",
        ),
        (
            {"birds": ["crane: ''", "jay: y", "owl: z"]},
            "line 2, teacher birds, label 'crane': the student's label is",
            "~",
        ),
        (
            {"birds": ["crane: [x, y]", "jay: y", "owl: z"]},
            "label 'crane': it should become one label",
            "crane: crane",
        ),
        ({"birds": ["crane: x", "crane: y"]}, "line 3: 'crane' is there twice", "Leave"),
        ({"birds": ["[a]: x"]}, "line 2: a name should be one word", "label: label"),
        (
            {"birds": ["- crane"]},
            "line 2: here should be the labels of teacher birds",
            "label: label",
        ),
        ({"birds": ["crane: 'x"]}, "is not YAML: ", "in quotes"),
    ],
)
def test_a_label_map_says_what_is_wrong_with_it_and_what_to_write(tmp_path, changes, said, hint):
    path = _written(tmp_path, **changes)
    with pytest.raises(InputError) as caught:
        read_map(path, [BIRDS, MACHINES])
    assert said in caught.value.message
    assert hint in caught.value.hint
    assert "labels.yaml" in caught.value.message


def test_a_label_map_has_to_be_there_and_name_every_teacher(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_map(tmp_path / "absent.yaml", [BIRDS])
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_map(tmp_path / "binary.yaml", [BIRDS])
    (tmp_path / "empty.yaml").write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(InputError, match="here should be the teachers"):
        read_map(tmp_path / "empty.yaml", [BIRDS])
    (tmp_path / "control.yaml").write_text("birds: \x07\n", encoding="utf-8")
    with pytest.raises(InputError, match="is not YAML"):
        read_map(tmp_path / "control.yaml", [BIRDS])
    path = _written(tmp_path)
    with pytest.raises(InputError, match="what becomes of the labels of teacher dogs"):
        read_map(path, [BIRDS, MACHINES, head("dogs", "pug")])


def test_a_map_is_explained_at_its_top_and_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "labels.yaml"
    write_map(keep(separate([BIRDS]), ["jay"]), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Label map")
    assert "crane: ~\n  jay: jay\n" in text
    with pytest.raises(InputError, match="cannot be written"):
        write_map(separate([BIRDS]), tmp_path / "absent" / "labels.yaml")


def test_labelled_data_meets_the_student_by_name():
    space = make_space([BIRDS, MACHINES], targets="concat", labels="separate")
    names = ["OWL", "lynx", "birds/crane", "crane"]
    assert columns_of(names, space) == ([2, -1, 0, -1], ("lynx", "crane"))
    assert columns_of(["0", "1"], space) == ([-1, -1], ("0", "1"))


def test_labelled_data_may_use_the_teachers_words_where_they_mean_one_column(tmp_path):
    path = _written(
        tmp_path,
        birds=["crane: Kranich", "jay: ~", "owl: Eule"],
        machines=["digger: Bagger", "' Crane': Kran"],
    )
    space = read_map(path, [BIRDS, MACHINES])
    names = ["owl", "Eule", "digger", "crane", "jay"]
    assert columns_of(names, space) == ([1, 1, 2, -1, -1], ("crane", "jay"))


def test_a_name_that_only_one_teacher_kept_is_not_taken_for_both():
    space = keep(separate([BIRDS, MACHINES]), ["birds/crane", "digger"])
    assert columns_of(["crane", "digger"], space) == ([-1, 1], ("crane",))
