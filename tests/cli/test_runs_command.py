"""Reading measured results for ``zoo runs compare``."""

from __future__ import annotations

import pytest

from zoo.errors import InputError
from zoo_cli.commands.runs import read_truth


def test_results_are_read_and_gaps_left_out(tmp_path):
    path = tmp_path / "truth.csv"
    path.write_text("model,accuracy\norg/a,0.5\norg/b,\n")
    assert read_truth(path) == {"org/a": 0.5}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"model,accuracy\na,1,2\n", "more values than columns"),
        (b"model,accuracy\n\xe9,1\n", "cannot be read"),
        (b"model,accuracy\na,x\n", "could not convert"),
        (b"name,accuracy\na,1\n", "needs the column 'model'"),
        (b"", "it has: none"),
    ],
)
def test_results_that_cannot_be_used_are_one_sentence(tmp_path, content, sentence):
    (tmp_path / "truth.csv").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_truth(tmp_path / "truth.csv")
    assert sentence in caught.value.message
