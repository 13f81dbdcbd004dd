"""Probes without labels: what a pretext makes of images."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image

import zoo.builtin
import zoo_distillation
from zoo.catalogue import Catalogue
from zoo.errors import InputError, PluginError, UnknownNameError
from zoo.host import PluginHost
from zoo.probes import surrogate
from zoo.probes.decoding import decode
from zoo.probes.surrogate import Altering, cut_seeds
from zoo.types import ImageInput, PretextSpec
from zoo.types.protocols import ProbeOptions
from zoo_distillation.exemplar import ExemplarTask


@pytest.fixture(scope="module")
def known():
    host = PluginHost(strict=True)
    host.register(zoo.builtin, name="zoo-reuse:core")
    host.register(zoo_distillation, name="zoo-reuse:distillation")
    return Catalogue(host)


@pytest.fixture
def made(known):
    """Make a probe of images with the pretext of ours."""

    def make(data, *, name="exemplar", settings=None, **options):
        asked = ProbeOptions(**options)
        return surrogate.load(str(data), asked, known, name=name, settings=settings)

    return make


@pytest.fixture
def pictures(tmp_path, png):
    """Make a flat folder of so many different images."""

    def make(count, root="loose", **options):
        folder = tmp_path / root
        folder.mkdir()
        for number in range(count):
            (folder / f"{number:02}.png").write_bytes(png(number, **options))
        return folder

    return make


def pixels(images):
    return np.stack([np.asarray(decode(each)) for each in images])


def test_every_image_is_a_class_of_altered_pieces_of_it(made, pictures):
    probe = made(pictures(12, size=(40, 50)), samples=60)
    assert (probe.task, probe.modality, probe.samples, probe.classes) == (
        "classification",
        "image",
        60,
        6,
    )
    assert np.bincount(probe.labels).tolist() == [10] * 6
    assert probe.label_names[0] == "exemplar 0"
    assert probe.name == "loose (exemplar)"
    assert len({each.data for each in probe.inputs}) == 60
    assert pixels(probe.inputs).shape == (60, 32, 32, 3)
    assert "6 of 12 images gave a seed each, altered 10 times." in probe.notes
    assert probe.notes[-1].startswith("The labels are surrogate")


def test_few_images_are_altered_more_often(made, pictures):
    probe = made(pictures(3), samples=100)
    assert np.bincount(probe.labels).tolist() == [33] * 3


@pytest.mark.parametrize(
    ("samples", "classes"), [(None, 8), (200, 8), (80, 8), (40, 4), (5, 2), (4, 2)]
)
def test_the_size_of_the_probe_says_how_many_classes_there_are(
    made, pictures, monkeypatch, samples, classes
):
    monkeypatch.setattr(surrogate, "_MOST", 8)
    probe = made(pictures(9), samples=samples)
    assert probe.classes == classes
    assert probe.samples == (samples or 80) // classes * classes


def test_the_same_question_gives_the_same_probe_and_any_other_one_another(made, pictures):
    folder = pictures(6, size=(40, 40))
    probe = made(folder, samples=40)
    again = made(folder, samples=40)
    assert again.fingerprint == probe.fingerprint
    assert np.array_equal(pixels(again.inputs), pixels(probe.inputs))
    others = [
        made(folder, samples=40, seed=1),
        made(folder, samples=40, settings={"size": 24}),
        made(folder, samples=60),
        made(pictures(6, "others", size=(40, 41)), samples=40),
    ]
    assert len({each.fingerprint for each in (probe, *others)}) == 5


def test_where_the_images_lie_is_no_part_of_what_they_are(made, pictures):
    one, two = made(pictures(4), samples=20), made(pictures(4, "elsewhere"), samples=20)
    assert one.fingerprint == two.fingerprint


def test_images_of_a_table_and_of_class_folders_do_without_their_labels(
    made, image_folder, tmp_path, png
):
    import pyarrow as pa
    import pyarrow.parquet as pq

    probe = made(image_folder({"cats": 2, "dogs": 1}), samples=24)
    assert probe.classes == 2
    cells = [{"bytes": png(number), "path": None} for number in range(4)]
    table = pa.table({"image": [*cells, None], "label": [0, 1, 0, 1, 1]})
    pq.write_table(table, tmp_path / "images.parquet")
    probe = made("images.parquet", samples=40)
    assert probe.classes == 4
    assert probe.name == "images (exemplar)"


def test_seeds_that_are_the_same_are_one_class(made, pictures, png):
    folder = pictures(3)
    (folder / "copy.png").write_bytes(png(0))
    probe = made(folder, samples=40)
    assert probe.classes == 3
    assert any("Left out 1 seed that repeated another one." in each for each in probe.notes)


@pytest.mark.parametrize(
    ("count", "options", "said"),
    [
        (1, {}, "'loose' holds 1 image; exemplar tells two or more apart."),
        (2, {"samples": 3}, "a probe of 3 samples holds no two classes of two."),
        (2, {"samples": -5}, "a probe of -5 samples"),
        (2, {"label": ("kind",)}, "--label says what labels are, and --pretext has none."),
        (2, {"task": "regression"}, "--task says what labels are"),
        (2, {"split": "test"}, "--split test: 'loose' has no column"),
        (2, {"name": "exemplr"}, "no pretext called 'exemplr'. Did you mean 'exemplar'?"),
        (2, {"settings": {"size": 1}}, "exemplar.size is 1 pixels"),
        (2, {"settings": {"sise": 1}}, "'exemplar' has no option 'sise'"),
    ],
)
def test_a_bad_question_is_one_sentence(made, pictures, count, options, said):
    pictures(count)
    with pytest.raises(InputError) as caught:
        made("loose", **options)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_texts_are_refused(made, write):
    write("reviews.txt", "good\nbad\n")
    with pytest.raises(InputError, match=r"exemplar is made from images, and 'reviews\.txt' holds"):
        made("reviews.txt")


def test_an_unknown_pretext_is_bad_input(made, pictures):
    with pytest.raises(UnknownNameError):
        made(pictures(2), name="jigsaw")


def test_standard_input_is_refused(made):
    with pytest.raises(InputError, match="standard input"):
        made("-")


def test_an_image_that_cannot_be_read_is_named(made, pictures):
    (pictures(3) / "bad.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"cannot read the image loose/bad\.png"):
        made("loose", samples=100)


def test_images_that_are_all_the_same_are_no_task(made, pictures, png):
    folder = pictures(1)
    (folder / "copy.png").write_bytes(png(0))
    with pytest.raises(InputError, match=r"gives 1 seed \(all are the same\)"):
        made("loose")


class Broken(ExemplarTask):
    def alter(self, patch, draw):
        raise ZeroDivisionError("division by zero")


def test_a_pretext_that_breaks_is_a_failure_of_its_plugin(pictures, monkeypatch):
    import sys
    import types

    from zoo.hookspecs import hookimpl

    module = types.ModuleType("broken_pretext")
    module.Broken = Broken
    monkeypatch.setitem(sys.modules, "broken_pretext", module)

    @hookimpl
    def zoo_pretexts():
        spec = PretextSpec(name="broken", target="broken_pretext:Broken", summary="fails")
        return (spec,)

    module.zoo_pretexts = zoo_pretexts
    host = PluginHost(strict=True)
    host.register(module, name="stranger")
    with pytest.raises(PluginError, match="the pretext 'broken' failed: ZeroDivisionError"):
        surrogate.load(str(pictures(3)), ProbeOptions(), Catalogue(host), name="broken")


def test_seeds_do_not_depend_on_one_another_and_empty_rows_give_none(tmp_path):
    images = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        noise = np.random.default_rng(number).integers(0, 256, (60, 70, 3), dtype=np.uint8)
        Image.fromarray(noise).save(path)
        images.append(ImageInput(name=path.name, path=str(path)))
    images[2] = None
    task = ExemplarTask()
    every = cut_seeds(task, images, range(6), 6, 0)
    assert every.rows == (0, 1, 3, 4, 5)
    some = cut_seeds(task, images, [4, 0, 1], 2, 0)
    assert some.rows == (4, 0)
    assert some.images[0].data == every.images[3].data
    assert some.images[0].name == "4.png"
    assert cut_seeds(task, images, [4], 1, 1).images[0].data != some.images[0].data


def test_what_alters_seeds_can_be_sent_to_a_process():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    alter = Altering(ExemplarTask(), 5)
    sent = pickle.loads(pickle.dumps(alter))
    seen = [np.asarray(each(image, 3, 2)) for each in (alter, sent)]
    assert np.array_equal(*seen)
    assert not np.array_equal(seen[0], np.asarray(alter(image, 3, 3)))
    assert not np.array_equal(seen[0], np.asarray(alter(image, 4, 2)))
