"""Folders of shards, and what the datasets library saves."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CARD = """---
dataset_info:
  features:
  - name: text
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': neg
          '1': pos
---
# A data set
"""


@pytest.fixture
def shards(tmp_path):
    """Write parquet files: ``shards({"data/train-00000-of-00001": [...texts...]})``."""

    def write(files, root="set"):
        for name, texts in files.items():
            path = tmp_path / root / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            labels = [number % 2 for number in range(len(texts))]
            pq.write_table(pa.table({"text": texts, "label": labels}), path)
        return tmp_path / root

    return write


def texts(start, count):
    return [f"text {number}" for number in range(start, start + count)]


@pytest.mark.parametrize(
    "names",
    [
        ("data/train-00000-of-00002", "data/train-00001-of-00002", "data/test-00000-of-00001"),
        ("train-00", "train-01", "test-00"),
        ("train/0000", "train/0001", "test/0000"),
        ("default/train/0000", "default/train/0001", "default/test/0000"),
        ("reviews_train.1", "reviews_train.2", "reviews_test.1"),
    ],
)
def test_shards_of_the_train_split_are_read_in_order(read, shards, names):
    folder = shards(dict(zip(names, (texts(0, 4), texts(4, 4), texts(8, 4)), strict=True)))
    probe = read(folder)
    assert probe.inputs == texts(0, 8)
    assert probe.split == "train"
    assert "Read split 'train'; 'test' is left alone." in probe.notes


def test_another_split_is_read_by_name(read, refused, shards):
    folder = shards(
        {"data/train-00000-of-00001": texts(0, 4), "data/dev-00000-of-00001": texts(4, 6)}
    )
    assert read(folder, split="dev").rows == 6
    assert read(folder, split="validation").split == "dev"
    assert "no split 'test'" in refused(folder, split="test")


def test_rows_are_named_by_their_shard(read, png, tmp_path):
    for shard in range(2):
        cells = [{"bytes": png(10 * shard + n), "path": None} for n in range(4)]
        path = tmp_path / "set" / f"train-0000{shard}-of-00002.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"image": cells, "label": [0, 1, 0, 1]}), path)
    probe = read("set")
    assert probe.inputs[5].name == "train-00001-of-00002.parquet row 2"
    assert probe.inputs[5].data == png(11)


def test_files_without_a_split_are_one_data_set(read, shards):
    probe = read(shards({"0000": texts(0, 4), "0001": texts(4, 4)}))
    assert (probe.split, probe.rows) == (None, 8)


def test_csv_files_of_splits_are_a_data_set_too(read, write):
    write("set/train.csv", "text,label\na,x\nb,y\nc,x\n")
    write("set/test.csv", "text,label\nd,x\n")
    assert read("set").inputs == ["a", "b", "c"]


def test_class_names_come_from_the_card(read, shards):
    folder = shards({"data/train-00000-of-00001": texts(0, 4)})
    (folder / "README.md").write_text(CARD)
    assert read(folder).label_names == ("neg", "pos")


def test_descriptions_beside_the_shards_are_no_data(read, shards):
    folder = shards({"data/train-00000-of-00001": texts(0, 4)})
    (folder / "info.json").write_text(json.dumps({"n_train": 4}))
    assert read(folder).rows == 4


def test_a_folder_that_datasets_saved_is_read(read, refused, tmp_path, png):
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"image": [{"bytes": png(n), "path": None} for n in range(6)], "label": [0, 1] * 3}
    saved = datasets.Dataset.from_dict(rows, features=features)
    saved.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": saved, "test": saved.select([0, 1])}).save_to_disk(
        tmp_path / "two"
    )
    one, two = read("one"), read("two")
    assert one.label_names == two.label_names == ("cat", "dog")
    assert one.fingerprint == two.fingerprint
    assert one.inputs[0].data == png(0)
    assert (two.split, two.rows) == ("train", 6)
    assert "no split 'dev'" in refused("two", split="dev")
    (tmp_path / "one" / "state.json").write_text("{")
    assert "cannot be read as a folder of the datasets library" in refused("one")


# Bad input.


def test_several_data_sets_in_a_folder_are_listed(refused, shards):
    files = {"en/train-00000-of-00001": texts(0, 4), "de/train-00000-of-00001": texts(4, 4)}
    message = refused(shards(files))
    assert "holds several data sets: 'de' and 'en'" in message
    assert "set/de" in message


def test_data_sets_below_a_folder_are_named_without_their_data_folder(refused, shards):
    files = {f"{name}/data/train-00000-of-00001": texts(0, 4) for name in ("cola", "sst2")}
    assert "data sets: 'cola' and 'sst2'" in refused(shards(files))


def test_a_checkpoint_is_no_data(refused, write):
    write("model/config.json", "{}")
    write("model/tokenizer.json", "{}")
    assert "holds no images" in refused("model")


def test_several_files_without_splits_are_listed(refused, write):
    write("set/a.csv", "text,label\na,x\n")
    write("set/b.csv", "text,label\na,x\n")
    assert "holds several files: 'a.csv' and 'b.csv'" in refused("set")


def test_shards_with_different_columns_are_refused(refused, shards, tmp_path):
    folder = shards({"train-00000-of-00002": texts(0, 4)})
    pq.write_table(pa.table({"body": ["a"]}), folder / "train-00001-of-00002.parquet")
    assert "have different columns" in refused(folder)


def test_splits_without_train_ask_for_one(refused, shards):
    folder = shards({"test-00000-of-00001": texts(0, 4), "dev-00000-of-00001": texts(4, 4)})
    message = refused(folder)
    assert "no split 'train'" in message
    assert "--split dev" in message


def test_a_broken_shard_is_named(refused, shards):
    folder = shards({"train-00000-of-00002": texts(0, 4), "train-00001-of-00002": texts(4, 4)})
    (folder / "train-00001-of-00002.parquet").write_bytes(b"PAR1")
    assert "train-00001-of-00002.parquet' cannot be read as parquet" in refused(folder)
