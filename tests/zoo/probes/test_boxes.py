"""Referring expressions: boxes as four targets in shares of their image."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

WIDE = (40, 20)


def picture(size=WIDE, exif=None):
    data = io.BytesIO()
    kind = {"format": "JPEG", "exif": exif} if exif else {"format": "PNG"}
    Image.new("RGB", size, (size[0] % 255, 9, 9)).save(data, **kind)
    return data.getvalue()


@pytest.fixture
def referring(write):
    """Write images of 40 x 20 pixels and their list: ``referring([{"bbox": ...}, ...])``."""

    def make(rows, *, named=True, **images):
        lines = []
        for number, row in enumerate(rows):
            name = f"{number}.png"
            write(f"refs/{name}", images.get(f"image{number}", picture()))
            said = {"expression": f"the thing {number}"} if named else {}
            lines.append({"file_name": name, **said, **row})
        write("refs/metadata.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        return "refs"

    return make


PIXELS = [{"bbox": [4, 5, 10, 5]}, {"bbox": [0, 0, 40, 20]}, {"bbox": [20, 10, 8, 4]}]
SHARES = [[0.1, 0.25, 0.35, 0.5], [0, 0, 1, 1], [0.5, 0.5, 0.7, 0.7]]


def test_boxes_in_pixels_become_shares_of_their_image(read, referring):
    probe = read(referring(PIXELS))
    assert (probe.task, probe.modality) == ("regression", "image")
    assert probe.label_names == ("x0", "y0", "x1", "y1")
    assert probe.labels == pytest.approx(np.array(SHARES))
    assert probe.columns == {"image": "file_name", "label": "bbox"}
    assert "Read as referring expressions: image 'file_name'; label 'bbox'." in probe.notes
    assert any("--text expression reads the expressions" in note for note in probe.notes)


def test_the_expression_may_be_the_input(read, referring):
    probe = read(referring(PIXELS), text=("expression",))
    assert probe.modality == "text"
    assert probe.inputs == ["the thing 0", "the thing 1", "the thing 2"]
    assert probe.labels == pytest.approx(np.array(SHARES))


@pytest.mark.parametrize(
    "rows",
    [
        [{"box": [x, y, x + w, y + h]} for row in PIXELS for x, y, w, h in row.values()],
        [{"box": box} for box in SHARES],
        [{"bbox": [x, y, u - x, v - y]} for x, y, u, v in SHARES],
        [{"bbox": box, "bbox_format": "xyxy"} for box in SHARES],
        [{"box": row["bbox"], "box_format": "COCO"} for row in PIXELS],
        [{"bbox": str(row["bbox"])} for row in PIXELS],
        [{"bbox": " ".join(map(str, row["bbox"]))} for row in PIXELS],
        [{"bbox": [row["bbox"]]} for row in PIXELS],
        [dict(zip(("x0", "y0", "x1", "y1"), box, strict=True)) for box in SHARES],
        [dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)) for box in SHARES],
        [dict(zip("xywh", row["bbox"], strict=True)) for row in PIXELS],
    ],
)
def test_every_way_to_write_a_box_gives_the_same_labels(read, referring, rows):
    probe = read(referring(rows))
    assert probe.label_names == ("x0", "y0", "x1", "y1")
    assert probe.labels == pytest.approx(np.array(SHARES))


def test_each_box_is_a_share_of_its_own_image(read, referring):
    rows = [{"box": [0, 0, 10, 10]}, {"box": [0, 5, 10, 10]}, {"box": [2, 0, 10, 5]}]
    probe = read(referring(rows, image1=picture((10, 50))))
    assert probe.labels.tolist() == [[0, 0, 0.25, 0.5], [0, 0.1, 1, 0.2], [0.05, 0, 0.25, 0.25]]


def test_images_on_their_side_are_measured_as_they_are_seen(read, referring):
    exif = Image.Exif()
    exif[0x0112] = 6
    rows = [{"box": [0, 0, 10, 10]}, {"box": [0, 10, 10, 40]}, {"box": [2, 0, 10, 5]}]
    probe = read(referring(rows, image1=picture(WIDE, exif)))
    assert probe.labels[1].tolist() == [0, 0.25, 0.5, 1]


def test_encoded_images_are_measured_too(read, tmp_path):
    cells = [{"bytes": picture((10 + n, 20)), "path": None} for n in range(4)]
    table = {"image": cells, "sentence": list("abcd"), "box": [[0, n, 5, 10.0] for n in range(4)]}
    table["box"][3] = [1, 1, 5, 20]
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    probe = read("a.parquet", samples=3)
    widths = [Image.open(io.BytesIO(each.data)).width for each in probe.inputs]
    assert probe.labels[:, 2] == pytest.approx([5 / width for width in widths])


def test_rows_without_a_box_are_left_out_and_counted(read, referring):
    rows = [*PIXELS, {"bbox": None}]
    probe = read(referring(rows))
    assert probe.rows == 3
    assert "Left out 1 row without a label." in probe.notes


def test_a_pixel_of_rounding_is_forgiven(read, referring):
    probe = read(referring([{"box": [0, -0.5, 40.9, 10]}, {"box": [1, 1, 5, 20.5]}]))
    assert probe.labels.min() >= 0
    assert probe.labels.max() == 1


def test_a_box_beside_a_category_is_no_guess(read, referring):
    rows = [{**row, "category": "ab"[n == 1]} for n, row in enumerate(PIXELS)]
    folder = referring(rows)
    assert read(folder).task == "regression"
    folder = referring(rows, named=False)
    assert read(folder).label_names == ("a", "b")
    assert read(folder, label=("bbox",)).labels == pytest.approx(np.array(SHARES))


def test_two_columns_of_boxes_ask_for_one(read, refused, referring):
    folder = referring([{**row, "box": box} for row, box in zip(PIXELS, SHARES, strict=True)])
    message = refused(folder)
    assert "referring expressions (label 'box') or referring expressions (label 'bbox')" in message
    assert "--label box or --label bbox" in message
    assert read(folder, label=("box",)).labels == pytest.approx(np.array(SHARES))


lenient = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
sides = st.tuples(st.integers(0, 30), st.integers(1, 9))


@lenient
@given(st.lists(st.tuples(sides, sides), min_size=4, max_size=6, unique=True))
def test_any_box_is_the_same_in_both_formats(read, tmp_path, boxes):
    cells = [{"bytes": picture((40, 41)), "path": None}] * len(boxes)
    corners = [[x, y, x + w, y + h] for (x, w), (y, h) in boxes]
    if any(len({box[number] for box in corners}) < 2 for number in range(4)):
        return
    rows = {"image": cells, "expression": ["e"] * len(boxes)}
    pq.write_table(pa.table({**rows, "box": corners}), tmp_path / "a.parquet")
    coco = [[x, y, w, h] for (x, w), (y, h) in boxes]
    pq.write_table(pa.table({**rows, "bbox": coco}), tmp_path / "b.parquet")
    one, other = read("a.parquet"), read("b.parquet")
    assert one.labels == pytest.approx(np.array(corners) / [40, 41, 40, 41])
    assert one.fingerprint == other.fingerprint


# Bad input: one sentence each, with the file and the row.


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ([4, 5, 0, 5], "1 box without an area; the first, [4, 5, 4, 10] as corners, is in"),
        ([4, 5, 10, -5], "1 box without an area"),
        ([4, 5, 37.5, 5], "1 box reaches outside the image; the first is [4, 5, 41.5, 10]"),
        ([-3, 5, 10, 5], "1 box reaches outside the image; the first is [-3, 5, 7, 10]"),
        ([4, 5, 10], "'[4.0, 5.0, 10.0]' in metadata.jsonl row 2, which is no box of four numbers"),
        ([4, 5, 10, None], "in metadata.jsonl row 2, which is no box of four numbers"),
        ([4, 5, float("nan"), 5], "1 label that is NaN or infinite; the first is in"),
    ],
)
def test_a_wrong_box_is_named_with_its_row(refused, referring, wrong, sentence):
    message = refused(referring([PIXELS[0], {"bbox": wrong}, PIXELS[2], {"bbox": [0.5, 1, 2, 3]}]))
    assert sentence in message
    assert "metadata.jsonl row 2" in message


def test_a_box_outside_says_how_large_the_image_is(refused, referring):
    message = refused(referring([*PIXELS, {"bbox": [30, 5, 20, 5]}]))
    assert "in metadata.jsonl row 4 (3.png), whose image is 40 x 20 pixels" in message
    assert "bbox_format of xyxy or xywh" in message


def test_shares_outside_are_named(refused, referring):
    message = refused(referring([{"bbox": [0.5, 0.5, 0.2, 0.7]}, {"bbox": [0.1, 0.1, 0.2, 0.3]}]))
    assert "'bbox' of 'refs' holds 1 box outside the image" in message
    assert "[0.5, 0.5, 0.7, 1.2] as corners, is in metadata.jsonl row 1" in message


def test_texts_that_are_no_numbers_are_named(refused, referring):
    message = refused(referring([{"bbox": "1 2 3 4"}, {"bbox": "one two 3 4"}]))
    assert "'one two 3 4' in metadata.jsonl row 2, which is no box of four numbers" in message


def test_an_unknown_format_is_named(refused, referring):
    message = refused(referring([{**row, "bbox_format": "yolo"} for row in PIXELS]))
    assert "column 'bbox_format' of 'refs' says 'yolo' in metadata.jsonl row 1" in message
    assert "xywh" in message


def test_equal_boxes_are_refused(refused, referring):
    assert "there is nothing to predict" in refused(referring([PIXELS[0], PIXELS[0]]))


def test_a_missing_or_broken_image_is_named_even_where_the_text_is_read(refused, referring, write):
    folder = referring(PIXELS)
    write("refs/1.png", b"no image")
    assert "'metadata.jsonl row 2 (1.png)'" in refused(folder, text=("expression",))
    (write("refs/x", "").parent / "1.png").unlink()
    assert "is not there" in refused(folder, text=("expression",))


def test_other_tasks_of_a_box_are_refused(refused, referring):
    assert "bbox" in refused(referring(PIXELS), task="classification", label=("bbox",))
