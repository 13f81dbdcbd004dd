"""Lines of values in a JSON text."""

from __future__ import annotations

import pytest

from zoo.json_lines import line_of, parse_path

TEXT = """{
  "a.b": [1, {"x": "}]"},
    {
      "deep":
        true
    }
  ],

  "c": {"d": null}
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("a.b",), 2),
        (("a.b", 0), 2),
        (("a.b", 1, "x"), 2),
        (("a.b", 2), 3),
        (("a.b", 2, "deep"), 4),
        (("c", "d"), 9),
        (("c", "gone"), 9),
        (("a.b", 7), 2),
        (("a.b", "no"), 2),
        (("gone",), 1),
    ],
)
def test_the_line_is_where_the_value_or_its_key_starts(path, line):
    assert line_of(TEXT, path) == line


def test_paths_of_msgspec_are_taken_apart():
    assert parse_path("$.models[3].bytes") == ("models", 3, "bytes")
    assert parse_path("$.models[0].tags[...]") == ("models", 0, "tags")
    assert parse_path("$") == ()
