"""Hooks that stay between passes, and leave when others use the network."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.types.runtimes import RuntimeOptions


@pytest.fixture
def opened(runtime, tiny_checkpoint, images):
    checkpoint = tiny_checkpoint("resnet")
    backbone = runtime.open(checkpoint, RuntimeOptions())
    module = backbone.parts[0].module
    encoded = backbone.encode(runtime.prepare(checkpoint, images))
    yield backbone, module, encoded
    backbone.close()


def hooks(module):
    return [hook for part in module.modules() for hook in part._forward_hooks.values()]


def test_hooks_stay_while_the_taps_stay_the_same(opened):
    backbone, module, encoded = opened
    names = [tap.name for tap in backbone.taps]
    own = len(hooks(module))
    first = backbone.extract(encoded, names)
    kept = hooks(module)
    assert len(kept) > own
    again = backbone.extract(encoded, names)
    assert hooks(module) == kept
    for name in names:
        np.testing.assert_array_equal(again[name], first[name])
    backbone.extract(encoded, ["logits"])
    assert len(hooks(module)) == own


def test_other_passes_between_two_change_nothing(opened):
    backbone, module, encoded = opened
    names = [tap.name for tap in backbone.taps]
    first = backbone.extract(encoded, names)
    backbone.attribute(encoded[:1], names, "saliency")
    middle = backbone.extract(encoded, names)
    kept = hooks(module)
    backbone.extract(encoded, names[:1])
    last = backbone.extract(encoded, names)
    assert len(hooks(module)) == len(kept)
    for name in names:
        np.testing.assert_array_equal(middle[name], first[name])
        np.testing.assert_array_equal(last[name], first[name])


@pytest.mark.parametrize("leave", ["parts", "close"])
def test_hooks_leave_when_the_network_is_handed_over_or_closed(opened, leave):
    backbone, module, encoded = opened
    own = len(hooks(module))
    backbone.extract(encoded, ["stage.1"])
    assert len(hooks(module)) == own + 1
    if leave == "parts":
        assert backbone.parts[0].module is module
    else:
        backbone.close()
    assert len(hooks(module)) == own


def test_a_pass_that_fails_leaves_nothing_behind(opened):
    backbone, _, encoded = opened
    names = [tap.name for tap in backbone.taps]
    expected = backbone.extract(encoded, names)
    spoilt = [type(encoded[0])(cost=1, data=np.zeros((2, 2, 2, 2), np.uint8))]
    with pytest.raises(Exception, match="fails"):
        backbone.extract(spoilt, names)
    for name, values in backbone.extract(encoded, names).items():
        np.testing.assert_array_equal(values, expected[name])
