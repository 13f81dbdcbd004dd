"""Question answering over images and over texts; and texts that are labels in any table."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


# Over images.


@pytest.fixture
def pictured(image_folder, write):
    """Write images and questions: ``pictured([{"question": ..., "answer": ...}, ...])``."""

    def make(rows):
        image_folder({"all": len(rows)}, root="vqa")
        named = [{"image": f"all/{n}.png", **row} for n, row in enumerate(rows)]
        return write("vqa/questions.jsonl", jsonl(named))

    return make


ASKED = [
    {"question": "What colour?", "answer": "Red"},
    {"question": "What colour?", "answer": "blue"},
    {"question": "How many?", "answer": "2"},
    {"question": "What colour?", "answer": "red"},
]


def test_a_question_with_its_answer_is_the_label(read, pictured):
    probe = read(pictured(ASKED))
    assert (probe.task, probe.modality) == ("text", "image")
    assert probe.label_names == ("what colour? red", "what colour? blue", "how many? 2")
    assert probe.labels.tolist() == [0, 1, 2, 0]
    assert probe.columns == {"image": "image", "label": "question, answer"}
    assert any("a question with its answer, in lower case" in note for note in probe.notes)
    assert any("--task classification takes the answers" in note for note in probe.notes)


def test_the_answers_alone_are_classes(read, pictured):
    rows = [{**row, "answer": row["answer"].lower()} for row in ASKED]
    probe = read(pictured(rows), task="classification")
    assert probe.label_names == ("2", "blue", "red")
    assert "Not used: 'question'." in probe.notes


def test_the_most_frequent_of_several_answers_counts(read, pictured):
    rows = [
        {"question": "q", "answers": ["cat", "Dog", "dog"]},
        {"question": "q", "answers": ["cat", "dog"]},
        {"question": "q", "answers": ["dog"]},
        {"question": "q", "answers": []},
    ]
    path = pictured(rows)
    probe = read(path)
    assert probe.label_names == ("q dog", "q cat")
    assert "Left out 1 row without a label." in probe.notes
    rows[0]["answers"] = ["cat", "dog", "Dog"]
    assert read(pictured(rows), task="classification").label_names == ("cat", "dog")


def test_answers_of_people_with_their_confidence(read, pictured):
    people = [{"answer": "yes", "answer_id": 1}, {"answer": "no", "answer_id": 2}]
    rows = [{"question": "q", "answers": people}, {"question": "r", "answers": people[1:]}]
    assert read(pictured(rows)).label_names == ("q yes", "r no")


def test_numbers_are_answers_too(read, image_folder, write):
    image_folder({"all": 3}, root="vqa")
    lines = "".join(f"all/{n}.png,How many?,{n % 2}\n" for n in range(3))
    path = write("vqa/list.csv", f"image,question,answer\n{lines}")
    assert read(path).label_names == ("how many? 0", "how many? 1")


def test_the_question_may_be_the_input(read, pictured):
    probe = read(pictured(ASKED), text=("question",))
    assert probe.modality == "text"
    assert probe.label_names == ("red", "blue", "2")
    assert probe.columns == {"text": "question", "label": "answer"}


def test_questions_without_an_answer_are_left_out_and_counted(read, pictured):
    rows = [*ASKED, {"question": "Why?", "answer": None}, {"question": "", "answer": "x"}]
    probe = read(pictured(rows))
    assert probe.rows == 4
    assert "Left out 2 rows without a label." in probe.notes


def test_a_label_column_of_its_own_wins(refused, pictured):
    rows = [{**row, "label": n % 2} for n, row in enumerate(ASKED)]
    assert "one of them at a time" in refused(pictured(rows))


# Over texts.


CONTEXT = "Ada was born in Riga in 1902."
PASSAGES = [
    {"question": "Where?", "context": CONTEXT, "answer": "Riga"},
    {"question": "When?", "context": CONTEXT, "answer": "1902"},
    {"question": "Who?", "context": CONTEXT, "answer": ""},
]


def squad(rows, title="Ada"):
    questions = [
        {
            "id": str(n),
            "question": row["question"],
            **({"is_impossible": True} if n else {}),
            "answers": [{"text": row["answer"], "answer_start": 3}] if row["answer"] else [],
        }
        for n, row in enumerate(rows)
    ]
    article = {"title": title, "paragraphs": [{"context": CONTEXT, "qas": questions}]}
    return json.dumps({"version": "2.0", "data": [article]}, indent=1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qa.jsonl", jsonl(PASSAGES)),
        ("qa.json", json.dumps(PASSAGES)),
        ("qa.json", json.dumps({"data": PASSAGES})),
        ("squad.json", squad(PASSAGES)),
        (
            "qa.csv",
            "question,context,answer\n" + "".join(f"{','.join(r.values())}\n" for r in PASSAGES),
        ),
        (
            "hf.jsonl",
            jsonl(
                {**row, "answers": {"text": [row["answer"]] * 2, "answer_start": [1, 1]}}
                if row["answer"]
                else {**row, "answers": {"text": [], "answer_start": []}}
                for row in [
                    {k: v for k, v in each.items() if k != "answer"} | {"answer": each["answer"]}
                    for each in PASSAGES
                ]
            ),
        ),
    ],
)
def test_questions_over_a_text_are_pairs_labelled_with_their_answer(read, write, name, text):
    probe = read(write(name, text))
    assert (probe.task, probe.modality) == ("text", "text")
    assert probe.inputs == [("Where?", CONTEXT), ("When?", CONTEXT)]
    assert probe.label_names == ("riga", "1902")
    assert "Left out 1 row without a label." in probe.notes
    assert any("Read as text question answering" in note for note in probe.notes)


def test_the_answers_of_squad_as_the_hub_keeps_them(read, tmp_path):
    answers = [{"text": ["Riga"], "answer_start": [3]}, {"text": [], "answer_start": []}]
    answers += [{"text": ["1902", "in 1902", "in 1902"], "answer_start": [1, 1, 1]}]
    table = {"question": list("abc"), "context": ["x"] * 3, "answers": answers}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    assert read("a.parquet").label_names == ("riga", "in 1902")


def test_equal_questions_are_equal_probes_in_every_layout(read, write):
    marks = {
        read(write(name, text)).fingerprint
        for name, text in [("a.jsonl", jsonl(PASSAGES)), ("b.json", squad(PASSAGES))]
    }
    assert len(marks) == 1


def test_answers_over_a_text_may_be_classes(read, write):
    rows = [
        {"question": f"q{n}", "context": "c", "answers": ["yes", "no"][n % 2 :]} for n in range(6)
    ]
    probe = read(write("qa.jsonl", jsonl(rows)), task="classification")
    assert (probe.task, probe.label_names) == ("classification", ("no", "yes"))
    assert probe.inputs[0] == ("q0", "c")


def test_truth_values_stay_classes(read, write):
    path = write("b.csv", "question,context,answer\nq,p,true\nr,s,false\nt,u,true\n")
    assert read(path).label_names == ("false", "true")
    assert read(path).task == "classification"


def test_no_question_has_an_answer(refused, write):
    rows = [{"question": "q", "context": "c", "answers": []}] * 3
    message = refused(write("qa.json", json.dumps(rows)))
    assert "Left out 3 rows without a label." in message


# Free texts in any table.


def test_mostly_different_texts_are_never_a_silent_guess(read, refused, write):
    lines = "".join(f"question {n},words about {n}\n" for n in range(30))
    path = write("pairs.csv", f"question,reply\n{lines}")
    message = refused(path)
    assert "looks like labels" in message
    assert "--task text takes each text of 'reply' as a label of its own" in message
    probe = read(path, task="text")
    assert probe.columns == {"text": "question", "label": "reply"}
    assert probe.label_names[:2] == ("words about 0", "words about 1")
    assert read(path, task="text", label=("reply",)).fingerprint == probe.fingerprint


def test_classes_of_one_mention_the_task(refused, write):
    assert "--task text" in refused(write("a.csv", "text,label\na,x\nb,y\nc,z\n"))


def test_two_columns_that_could_be_the_text_are_named(refused, write):
    path = write("a.csv", "text,reply,remark\na,b,c\nd,e,f\n")
    message = refused(path, task="text")
    assert "'reply' and 'remark' of" in message
    assert "--label reply or --label remark" in message


def test_several_text_columns_are_joined_in_the_order_they_are_named(read, write):
    path = write("a.csv", "text,u,v\nx,One,2\ny,Two,3\nz,,4\n")
    probe = read(path, task="text", label=("v", "u"))
    assert probe.label_names == ("2 one", "3 two")
    assert "Left out 1 row without a label." in probe.notes


def test_class_names_are_texts_too(read, image_folder):
    probe = read(image_folder({"Dogs": 2, "Cats": 2}), task="text")
    assert probe.label_names == ("cats", "dogs")


def test_features_may_be_labelled_with_texts(read, refused, write):
    generator = np.random.default_rng(0)
    features = generator.normal(size=(5, 2))
    np.savez("a.npz", X=features, y=np.array(["A dog", "a cat", "a  dog", "x", "y"]))
    probe = read("a.npz", task="text")
    assert probe.label_names == ("a dog", "a cat", "x", "y")
    assert probe.labels.tolist() == [0, 1, 0, 2, 3]
    np.savez(
        "b.npz", X=features, y=np.array([1, 0, 1, 2, 2]), label_names=np.array(["p", "q", "r"])
    )
    assert read("b.npz", task="text").label_names == ("q", "p", "r")
    np.savez("c.npz", X=features, y=np.arange(5))
    assert "no label_names say which texts" in refused("c.npz", task="text")
    np.savez("d.npz", X=features, y=np.array(["a", "b", " ", "c", "d"]))
    assert "y[2] of 'd.npz' is an empty text" in refused("d.npz", task="text")


def test_the_demo_has_no_texts(refused):
    assert "which is not text" in refused("demo", task="text")


def test_columns_that_only_later_rows_have_are_read(read, write):
    rows = [{"text": "a"}, {"text": "b", "label": "x"}, {"text": "c", "label": "y"}]
    rows.append({"text": "d", "label": "x"})
    assert read(write("a.json", json.dumps(rows))).label_names == ("x", "y")
