"""Data without labels: what is found, what it is called, and that it is read lazily."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zoo.errors import InputError
from zoo.probes.unlabelled import Lazy, load_inputs, read_inputs
from zoo.types import ProbeOptions


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", (4, 4), "red").save(path)
    return path


@pytest.fixture
def typed(monkeypatch):
    """Type bytes on standard input."""

    def type_(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return type_


def encoded(colour="red"):
    data = io.BytesIO()
    Image.new("RGB", (4, 4), colour).save(data, "PNG")
    return data.getvalue()


def test_one_image(photo):
    found = load_inputs(str(photo))
    assert found.modality == "image"
    assert list(found.names) == [str(photo)]
    assert found.inputs[0].path == str(photo)


def test_a_folder_of_images_at_any_depth_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.jpg", "deep/er/c.png", ".hidden.png", "notes.md"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path, "PNG")
    found = load_inputs("photos/")
    assert list(found.names) == ["photos/a.jpg", "photos/b.png", "photos/deep/er/c.png"]
    assert [each.name for each in found.inputs] == list(found.names)
    assert all(each.path.startswith(str(tmp_path)) for each in found.inputs)
    assert found.notes == ("Ignored 1 file that is no image.",)


def test_a_text_a_line_without_the_blank_ones(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("\ufefffirst\r\n\n  \nsecond é\nlast".encode())
    found = load_inputs(str(path))
    assert found.modality == "text"
    assert list(found.inputs) == ["first", "second é", "last"]
    assert list(found.names) == ["lines.txt line 1", "lines.txt line 4", "lines.txt line 5"]
    assert found.inputs[1:] == ["second é", "last"]
    assert found.inputs[-1] == "last"


def test_lines_are_paths_where_a_model_reads_images(tmp_path, photo, typed, monkeypatch):
    path = tmp_path / "list.txt"
    path.write_text("photo.png\n")
    found = load_inputs(str(path), modality="image")
    assert (found.modality, found.inputs[0].path) == ("image", str(photo))
    typed(b"photo.png\n")
    monkeypatch.chdir(tmp_path)
    assert load_inputs("-", modality="image").inputs[0].path == str(photo)


def test_lines_of_standard_input(typed):
    typed("one\n\ntwo ü".encode())
    found = load_inputs("-")
    assert (list(found.inputs), list(found.names)) == (["one", "two ü"], ["line 1", "line 3"])


TABLES = {
    "t.csv": "id,review,label\n1,good,x\n2,,y\n3,bad,x\n",
    "t.tsv": "id\treview\tlabel\n1\tgood\tx\n2\t\ty\n3\tbad\tx\n",
    "t.jsonl": "\n".join(
        json.dumps({"id": number, "review": text, "label": "x"})
        for number, text in enumerate(["good", None, "bad"])
    ),
    "t.json": json.dumps([{"review": text, "label": "x"} for text in ("good", " ", "bad")]),
}


@pytest.mark.parametrize("name", TABLES)
def test_the_text_column_of_a_table_is_guessed_and_an_empty_row_is_none(tmp_path, name):
    path = tmp_path / name
    path.write_text(TABLES[name])
    found = load_inputs(str(path))
    assert list(found.inputs) == ["good", None, "bad"]
    assert found.names[2].startswith(f"{name} row ")
    assert found.notes[-1].startswith("Guessed: text 'review'")


def test_the_only_column_may_be_called_like_a_label(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("topic\nabout frogs\nabout toads\n")
    assert list(load_inputs(str(path)).inputs) == ["about frogs", "about toads"]


def test_columns_are_as_a_person_says(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("text,other,pair\na,b,c\nd,e,f\n")
    assert list(load_inputs(str(path), ProbeOptions(text=("other",))).inputs) == ["b", "e"]
    pairs = load_inputs(str(path), ProbeOptions(text=("other", "pair"))).inputs
    assert list(pairs) == [("b", "c"), ("e", "f")]
    assert pairs[0] == ("b", "c")


def test_a_table_of_paths_gives_images(tmp_path, photo):
    path = tmp_path / "t.csv"
    path.write_text("file_name,label\nphoto.png,red\n,red\n")
    found = load_inputs(str(path))
    assert found.modality == "image"
    assert found.inputs[0].path == str(photo)
    assert found.inputs[1] is None


def test_images_and_texts_in_one_table_are_chosen_by_what_is_looked_for(tmp_path):
    path = tmp_path / "t.parquet"
    cells = [{"bytes": encoded(each), "path": None} for each in ("red", "blue", "green")]
    pq.write_table(pa.table({"image": cells, "text": ["a", "b", "c"]}), path, row_group_size=2)
    images = load_inputs(str(path), modality="image")
    assert [each.data for each in images.inputs] == [each["bytes"] for each in cells]
    assert images.inputs[1:3][1].data == cells[2]["bytes"]
    assert [each.data for each in images.inputs[::2]] == [cells[0]["bytes"], cells[2]["bytes"]]
    assert list(load_inputs(str(path), modality="text").inputs) == ["a", "b", "c"]
    with pytest.raises(InputError, match=r"holds images .* and texts"):
        load_inputs(str(path))


def test_a_data_set_folder_gives_one_split(tmp_path):
    for split, texts in {"train": ["a", "b"], "test": ["c"]}.items():
        pq.write_table(pa.table({"text": texts}), tmp_path / f"{split}.parquet")
    assert list(load_inputs(str(tmp_path)).inputs) == ["a", "b"]
    assert list(load_inputs(str(tmp_path), ProbeOptions(split="test")).inputs) == ["c"]


def test_the_demo_has_digits():
    found = load_inputs("demo")
    assert found.modality == "image"
    assert len(found) > 500


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "there is no file or folder"),
        ("empty.txt", b"\n \n", "holds nothing to read"),
        ("empty.csv", b"", "is empty"),
        ("latin.txt", b"good\ncaf\xe9\n", "line 2 of .*latin.txt' is not UTF-8"),
        ("text.doc", b"word", "Zoo cannot read '.doc'"),
        ("features.npz", b"zip", "holds arrays"),
        ("numbers.csv", b"a,b\n1,2\n3,4\n", "no column of .* holds texts or images"),
        ("cut.parquet", b"PAR1", "cannot be read as parquet"),
        ("bad.json", b"[{]", "cannot be read as JSON"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load_inputs(str(path))
    assert "\n" not in caught.value.message
    assert str(name) in caught.value.message


def test_a_folder_without_images_says_what_it_has(tmp_path):
    (tmp_path / "song.mp3").write_bytes(b"la")
    with pytest.raises(InputError, match=r"holds no images; its files have \.mp3"):
        load_inputs(str(tmp_path))


@pytest.mark.parametrize("column", ["reveiw", "id"])
def test_a_column_that_is_no_text_is_refused(tmp_path, column):
    path = tmp_path / "t.csv"
    path.write_text("id,review\n1,good\n2,bad\n")
    options = ProbeOptions(text=(column,))
    if column == "id":
        assert list(load_inputs(str(path), options).inputs) == ["1", "2"]
        return
    with pytest.raises(InputError, match="Did you mean 'review'"):
        load_inputs(str(path), options)


def test_data_of_another_kind_than_the_model_reads(photo):
    with pytest.raises(InputError, match=r"\./net reads texts, but .* holds images"):
        read_inputs(str(photo), "text", None, model="./net")
    with pytest.raises(InputError, match=r"\./net reads audio"):
        read_inputs(str(photo), "audio", None, model="./net")


def test_standard_input_with_nothing_in_it(typed):
    typed(b"")
    with pytest.raises(InputError, match="holds nothing to read"):
        load_inputs("-")


def test_a_package_that_is_missing_is_named(tmp_path, monkeypatch):
    path = tmp_path / "t.csv"
    path.write_text("text\na\n")
    for name in [each for each in sys.modules if each.partition(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="needs the package pyarrow") as caught:
        load_inputs(str(path))
    assert caught.value.hint == "pip install pyarrow"


@given(
    values=st.lists(st.integers(), max_size=20),
    start=st.none() | st.integers(-25, 25),
    stop=st.none() | st.integers(-25, 25),
    step=st.none() | st.integers(1, 7),
)
def test_a_lazy_sequence_is_sliced_like_a_list(values, start, stop, step):
    lazy = Lazy(len(values), lambda rows: [values[row] for row in rows])
    assert lazy[start:stop:step] == values[start:stop:step]
    assert list(lazy) == values
    for row in (0, -1, len(values) - 1):
        if values:
            assert lazy[row] == values[row]


def test_nothing_is_decoded_or_read_before_it_is_asked_for(tmp_path):
    (tmp_path / "gone.txt").write_text("one\ntwo\n")
    lines = load_inputs(str(tmp_path / "gone.txt"))
    (tmp_path / "broken.png").write_bytes(b"no image")
    images = load_inputs(str(tmp_path / "broken.png"))
    assert len(lines) == 2
    assert len(images) == 1
    assert np.asarray(lines.inputs[:1]).tolist() == ["one"]


def test_an_empty_folder_holds_nothing(tmp_path):
    with pytest.raises(InputError, match="holds no images"):
        load_inputs(str(tmp_path))
