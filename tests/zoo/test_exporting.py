"""An export appears whole or not at all, and is a checkpoint like any other."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

import zoo
from zoo.errors import CheckpointError, InputError, PluginError
from zoo.exporting import export
from zoo.registry import candidate_for
from zoo.sources.folder import FolderSource


@pytest.fixture
def place(tmp_path):
    return tmp_path / "out" / "exported"


@pytest.fixture
def write(catalogue, settings, place):
    """Export with the runtime of numpy, which has to be asked for by nobody."""

    def write(model, folder=place, **request):
        return export(model, folder, settings, catalogue, **request)

    return write


@pytest.fixture
def source(tmp_path):
    return FolderSource(home=str(tmp_path / "home"))


def looked_at(source, folder):
    return source.inspect(candidate_for(str(folder), None, base=Path.cwd()))


def nothing_left(place):
    return not place.parent.exists()


def names_in(folder):
    return [path.name for path in folder.iterdir()]


def test_what_was_written_is_reported(write, net, place):
    events = []
    report = write(net(), taps=["logits"], on_event=events.append)
    assert sorted(path.name for path in place.iterdir()) == ["graph.npz", "zoo_export.json"]
    assert names_in(place.parent) == ["exported"]
    assert (report.folder, report.format, report.samples) == (str(place), "pocket", 4)
    assert [each.tap for each in report.taps] == ["logits"]
    assert any("exporting with pocket" in each.message for each in events)


def test_real_inputs_are_spread_over_the_data(write, net, tmp_path):
    lines = tmp_path / "texts.txt"
    lines.write_text("\n".join(f"text {number}" for number in range(300)))
    model = net(modality="text")
    assert write(model, data=str(lines)).samples == 60
    assert write(model, data=str(lines), precision="int8", force=True).samples == 100


def test_data_of_another_kind_is_refused_before_the_work(write, net, pictures, place):
    with pytest.raises(InputError, match=r"reads texts, but .* holds images"):
        write(net(modality="text"), data=str(pictures))
    assert nothing_left(place)


def test_an_exported_folder_is_a_checkpoint(write, net, place, source):
    model = net()
    write(model)
    entry = looked_at(source, place)
    original = looked_at(source, model)
    assert entry.ref == str(place)
    assert entry.library == "pocket"
    assert (entry.modality, entry.task, entry.labels) == ("image", "image-classification", 3)
    assert entry.architecture == original.architecture
    assert entry.tags["exported_from"] == model
    assert sorted(entry.files) == ["graph.npz", "zoo_export.json"]
    assert entry.bytes == sum(path.stat().st_size for path in place.iterdir())
    candidate = candidate_for(str(place), None, base=Path.cwd())
    checkpoint = source.fetch(candidate)
    assert checkpoint.folder == str(place)
    assert source.describe(candidate).entry.library == "pocket"


def test_what_a_registry_says_of_an_export_stays(write, net, place, source):
    write(net())
    candidate = candidate_for(str(place), None, base=Path.cwd())
    stated = msgspec.structs.replace(candidate.entry, license="mine", tags={"mine": "1"})
    entry = source.inspect(msgspec.structs.replace(candidate, entry=stated))
    assert entry.license == "mine"
    assert entry.tags.keys() >= {"mine", "exported_from"}


def cut(folder):
    path = folder / "graph.npz"
    path.write_bytes(path.read_bytes()[:-7])


def remove(folder):
    (folder / "graph.npz").unlink()


def garble(folder):
    (folder / "zoo_export.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "message", "hint"),
    [
        (cut, "graph.npz is damaged: it is not the file that was exported", "--force"),
        (remove, "graph.npz has gone", "--force"),
        (garble, "zoo_export.json is damaged", "Export it again"),
    ],
)
def test_a_damaged_export_is_refused_with_what_to_do(
    write, net, place, source, damage, message, hint
):
    write(net())
    damage(place)
    with pytest.raises(CheckpointError, match=message) as caught:
        looked_at(source, place)
    assert hint in caught.value.hint


def test_a_path_out_of_the_folder_is_no_file_of_it(write, net, place, source):
    write(net())
    path = place / "zoo_export.json"
    said = json.loads(path.read_text()) | {"files": {"../../net/config.json": "0" * 64}}
    path.write_text(json.dumps(said))
    with pytest.raises(CheckpointError, match="has gone"):
        looked_at(source, place)


def test_an_empty_folder_is_filled_and_an_export_replaced_only_when_asked(write, net, place):
    place.mkdir(parents=True)
    model = net()
    write(model)
    with pytest.raises(InputError, match="holds an export already") as caught:
        write(model)
    assert "--force" in caught.value.hint
    before = (place / "zoo_export.json").stat().st_ino
    write(model, precision="fp16", force=True)
    assert (place / "zoo_export.json").stat().st_ino != before
    assert names_in(place.parent) == ["exported"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_of_a_person_is_never_replaced(write, net, place, force):
    place.mkdir(parents=True)
    (place / "thesis.tex").write_text("all of it")
    with pytest.raises(InputError, match=r"holds other things \(thesis.tex\)"):
        write(net(), force=force)
    assert (place / "thesis.tex").read_text() == "all of it"


def test_an_export_with_something_else_in_it_is_not_replaced(write, net, place):
    model = net()
    write(model)
    (place / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes.txt, which no export wrote"):
        write(model, force=True)
    (place / "notes.txt").unlink()
    garble(place)
    with pytest.raises(InputError, match="damaged export"):
        write(model, force=True)
    assert (place / "graph.npz").exists()


def test_a_file_is_no_folder(write, net, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        write(net(), tmp_path / "file")


def test_a_link_goes_on_pointing_to_its_folder(write, net, place, tmp_path):
    place.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(place)
    write(net(), link)
    assert link.is_symlink()
    assert (place / "graph.npz").exists()


@pytest.mark.parametrize(
    ("architecture", "error", "message"),
    [
        ("Crashing", PluginError, r"failed to export .* \(ZeroDivisionError: no reason\)"),
        ("Forgetful", PluginError, "wrote no zoo_export.json"),
        ("Interrupted", KeyboardInterrupt, None),
    ],
)
def test_what_goes_wrong_leaves_nothing(write, net, place, architecture, error, message):
    with pytest.raises(error, match=message):
        write(net(architectures=[architecture]))
    assert nothing_left(place)


@pytest.mark.parametrize("architecture", ["Crashing", "Interrupted"])
def test_what_goes_wrong_leaves_the_earlier_export_alone(write, net, place, architecture):
    write(net())
    before = {path: path.stat().st_mtime_ns for path in place.iterdir()}
    with pytest.raises((PluginError, KeyboardInterrupt)):
        write(net("other", architectures=[architecture]), force=True)
    assert {path: path.stat().st_mtime_ns for path in place.iterdir()} == before
    assert names_in(place.parent) == ["exported"]


def test_a_difference_above_the_tolerance_is_refused(write, net, place):
    with pytest.raises(CheckpointError, match="differs"):
        write(net(), tolerance=1e-9)
    assert nothing_left(place)


def test_an_export_is_not_exported_again(write, net, place, tmp_path):
    write(net())
    with pytest.raises(InputError, match="is an export already"):
        write(str(place), tmp_path / "again")


def test_a_runtime_that_does_not_export_says_so(
    net, settings, catalogue, monkeypatch, pocket, place
):
    monkeypatch.delattr(pocket, "export")
    with pytest.raises(InputError, match=r"no runtime that opens .* exports it"):
        export(net(), place, settings, catalogue)
    named = msgspec.structs.replace(settings, runtime="pocket")
    with pytest.raises(InputError, match="'pocket' does not export"):
        export(net("other"), place, named, catalogue)
    unknown = msgspec.structs.replace(settings, runtime="poket")
    with pytest.raises(InputError, match="Did you mean 'pocket'"):
        export(net("third"), place, unknown, catalogue)


def test_the_function_of_the_package(net, place, settings, pocket, monkeypatch, catalogue):
    monkeypatch.setattr("zoo.api.open_catalogue", lambda _: catalogue)
    assert zoo.export(net(), place, settings=settings).format == "pocket"
    assert zoo.taps(str(place), settings=settings).runtime == "pocket"
