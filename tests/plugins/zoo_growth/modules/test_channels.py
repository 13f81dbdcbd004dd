from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zoo_growth.modules.channels import Channels, lay_out


def test_what_is_never_apart_is_one_axis_and_what_is_fixed_splits_it():
    channels = Channels()
    one, other = channels.new(4), channels.new(4)
    channels.unite(one, other, "")
    channels.pin(one[2:3], "counted")
    found = lay_out(channels, {"w": other}, {"w": "conv"})
    assert found.layouts["w"] == "channels of conv+1+channels of conv (2)"
    assert dict(found.sizes) == {"channels of conv": 2, "channels of conv (2)": 1}


def test_a_flattened_image_is_a_block_of_every_channel():
    channels = Channels()
    ids = channels.new(3)
    flat = [each for each in ids for _ in range(4)]
    found = lay_out(channels, {"conv": ids, "fc": flat}, {"conv": "conv"})
    assert (found.layouts["conv"], found.layouts["fc"]) == (
        "channels of conv",
        "channels of conv*4",
    )


def test_concatenated_channels_are_axes_of_their_own_where_they_are_written_apart():
    channels = Channels()
    one, other = channels.new(2), channels.new(3)
    places = {"one": one, "other": other, "both": [*one, *other], "twice": [*one, *one]}
    found = lay_out(channels, places, {"one": "a", "other": "b"})
    assert found.layouts["both"] == "channels of a+channels of b"
    assert found.layouts["twice"] == "channels of a+channels of a"


def test_neighbours_of_one_class_that_are_no_block_stay():
    channels = Channels()
    one, other = channels.new(1), channels.new(1)
    channels.unite(one, other, "")
    channels.seam(one, other)
    found = lay_out(channels, {"both": [*one, *other]}, {})
    assert found.layouts["both"] == "2"


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=12))
def test_layouts_count_every_place_once(pairs):
    channels = Channels()
    ids = channels.new(12)
    for one, other in pairs:
        channels.merge([ids[one], ids[other]])
    found = lay_out(channels, {"all": ids, "tail": ids[5:]}, {})
    total = 0
    for part in found.layouts["all"].split("+"):
        name, _, times = part.partition("*")
        total += int(name) if name.isdigit() else found.sizes[name] * int(times or 1)
    assert total == 12
