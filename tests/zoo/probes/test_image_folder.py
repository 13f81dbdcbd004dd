"""Class sub-folders, split folders, metadata files; and what is no image folder."""

from __future__ import annotations

import pytest


def test_sub_folders_are_classes(read, image_folder):
    probe = read(image_folder({"dogs": 3, "cats": 2}))
    assert (probe.task, probe.modality, probe.name) == ("classification", "image", "photos")
    assert probe.label_names == ("cats", "dogs")
    assert probe.labels.tolist() == [0, 0, 1, 1, 1]
    assert probe.split is None
    assert probe.rows == probe.samples == 5
    assert [image.name for image in probe.inputs][:2] == ["cats/0.png", "cats/1.png"]
    assert all(image.data is None and image.path for image in probe.inputs)


def test_images_lie_at_any_depth_below_their_class(read, image_folder):
    probe = read(image_folder({"cats/old": 2, "cats/new": 2, "dogs": 2}))
    assert probe.label_names == ("cats", "dogs")
    assert probe.labels.tolist() == [0, 0, 0, 0, 1, 1]


def test_train_is_read_and_never_mixed_with_test(read, image_folder):
    folder = image_folder({"train/cats": 2, "train/dogs": 2, "test/cats": 5, "val/dogs": 4})
    probe = read(folder)
    assert (probe.split, probe.rows) == ("train", 4)
    assert "Read split 'train'; 'test' and 'val' are left alone." in probe.notes


def test_another_split_is_found_by_its_other_names(read, image_folder):
    folder = image_folder({"train/cats": 2, "train/dogs": 2, "val/cats": 3, "val/dogs": 3})
    assert read(folder, split="validation").rows == 6
    assert read(folder, split="validation").split == "val"


def test_a_class_called_test_beside_others_is_a_class(read, image_folder):
    assert read(image_folder({"test": 2, "exam": 2})).label_names == ("exam", "test")


def test_a_metadata_file_names_the_labels(read, image_folder, write):
    image_folder({"all": 4})
    write("photos/metadata.csv", "file_name,label\nall/0.png,x\nall/1.png,y\nall/2.png,y\n")
    probe = read("photos")
    assert probe.label_names == ("x", "y")
    assert probe.labels.tolist() == [0, 1, 1]
    assert probe.inputs[0].path.endswith("photos/all/0.png")


def test_hidden_and_foreign_files_are_ignored_and_counted(read, image_folder, write):
    folder = image_folder({"cats": 2, "dogs": 2, ".thumbs": 3})
    write("photos/cats/notes.txt", "x")
    write("photos/cats/._0.png", "resource fork")
    (folder / "empty").mkdir()
    probe = read(folder)
    assert probe.samples == 4
    assert "Ignored 1 file that is no image." in probe.notes
    assert "No image in 'empty'." in probe.notes


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1", "I;16"])
def test_every_mode_of_image_is_accepted_encoded(read, image_folder, mode):
    from PIL import Image

    folder = image_folder({"cats": 2, "dogs": 2})
    image = Image.new("L", (4, 4)).convert("I").convert("I;16") if mode == "I;16" else None
    (image or Image.new("RGB", (4, 4)).convert(mode)).save(folder / "cats" / "odd.png")
    assert read(folder).samples == 5


def test_a_class_with_one_image_is_kept_and_noted(read, image_folder):
    probe = read(image_folder({"cats": 3, "dogs": 2, "newt": 1}))
    assert "'newt' has a single sample." in probe.notes


def test_a_link_that_leads_back_does_not_hang(read, image_folder):
    folder = image_folder({"cats": 2, "dogs": 2})
    (folder / "cats" / "loop").symlink_to(folder, target_is_directory=True)
    assert read(folder).label_names == ("cats", "dogs")


def test_folder_names_can_be_a_target(read, image_folder):
    probe = read(image_folder({"10": 2, "20": 2, "35": 2}), task="regression")
    assert probe.task == "regression"
    assert sorted(set(probe.labels.tolist())) == [10, 20, 35]


# Bad input.


def test_a_missing_folder_names_its_nearest_sibling(refused, image_folder):
    image_folder({"cats": 1, "dogs": 1})
    assert "no file or folder './fotos'. Did you mean 'photos'?" in refused("./fotos")
    assert "Did you mean 'photos/cats'" in refused("photos/cat")


def test_a_folder_without_images_says_so(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "the folder 'empty' is empty" in refused("empty")
    (tmp_path / "empty" / "a.txt").write_text("x")
    assert "the folder 'empty' holds no images" in refused("empty")


def test_images_without_class_folders_say_what_is_missing(refused, png, write):
    write("loose/1.png", png(1))
    message = refused("loose")
    assert "holds 1 image but no class sub-folders" in message
    assert "metadata.csv" in message


def test_one_class_is_named(refused, image_folder):
    assert "all images of 'photos' are in one sub-folder, 'cats'" in refused(
        str(image_folder({"cats": 3})).rpartition("/")[2]
    )


def test_a_folder_around_the_folder_is_pointed_through(refused, image_folder):
    image_folder({"flowers/rose": 2, "flowers/tulip": 2})
    assert "did you mean photos/flowers?" in refused("photos")


def test_a_list_beside_the_images_is_pointed_at(refused, image_folder, write):
    image_folder({"all": 3})
    write("photos/labels.csv", "file,label\nall/0.png,x\n")
    assert "Are the labels in photos/labels.csv?" in refused("photos")


def test_an_unreadable_image_is_named_with_how_many_others(refused, image_folder, write):
    image_folder({"cats": 3, "dogs": 3})
    write("photos/cats/1.png", b"not an image")
    write("photos/dogs/2.png", b"")
    message = refused("photos")
    assert "image 'cats/1.png' of 'photos' cannot be read (and 1 other)" in message
    assert "no image of a known format" in message


def test_an_empty_image_is_called_empty(refused, image_folder, write):
    image_folder({"cats": 3, "dogs": 3})
    write("photos/dogs/2.png", b"")
    assert "image 'dogs/2.png' of 'photos' cannot be read: it is empty" in refused("photos")


def test_formats_that_cannot_be_read_are_named(refused, write):
    write("phone/cats/1.heic", b"x")
    assert "'phone' holds .heic files" in refused("phone")


def test_every_image_with_a_class_of_its_own_is_refused(refused, image_folder):
    assert "has a class of its own" in refused(image_folder({"a": 1, "b": 1, "c": 1}))


def test_a_single_image_is_no_data_set(refused, write, png):
    assert "is a single image" in refused(write("cat.png", png()))


def test_an_unknown_split_is_named_with_the_known_ones(refused, image_folder):
    folder = image_folder({"train/cats": 2, "train/dogs": 2, "test/cats": 1})
    assert "no split 'tset'. Did you mean 'test'?" in refused(folder, split="tset")
    assert "no splits" in refused(image_folder({"a": 2, "b": 2}, "flat"), split="train")


def test_columns_of_a_folder_are_its_own(refused, image_folder):
    folder = image_folder({"cats": 2, "dogs": 2})
    assert "has no column 'breed'" in refused(folder, label=("breed",))
    assert "--text names a column" in refused(folder, text=("file",))
