"""The probe that comes with Zoo: half of scikit-learn's handwritten digits."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from zoo.errors import InputError
from zoo.probes.build import choose, finish, task_of
from zoo.probes.fingerprint import digest_bytes
from zoo.probes.label_values import Labels
from zoo.types.probe import ImageInput, Probe

if TYPE_CHECKING:
    from PIL import Image

    from zoo.types.protocols import ProbeOptions


class DemoLoader:
    """``zoo recommend --demo``; a folder called demo is ``./demo``."""

    def claims(self, data: str) -> bool:
        """Whether it is the word ``demo``."""
        return data == "demo"

    def load(self, data: str, options: ProbeOptions) -> Probe:
        """Give the digits, encoded."""
        from zoo.embedded import demo_probe

        if options.label or options.text or options.image or options.split:
            raise InputError("the demo has no columns and no splits to choose from.")
        task = task_of(options.task) or "classification"
        if task in {"multi-label", "text"}:
            raise InputError(f"the demo has one digit a picture, which is not {task}.")
        digits = demo_probe()
        every = np.asarray(digits.labels, dtype=np.int64 if task == "classification" else float)
        names = digits.label_names if task == "classification" else ("digit",)
        present = np.ones(len(every), dtype=bool)
        found = Labels(task=task, values=every, names=names, present=present)
        index = choose(found, options)
        images = [
            ImageInput(name=f"digit {row}", data=_encode(digits.images[row])) for row in index
        ]
        probe = Probe(
            name="demo",
            source=data,
            task=task,
            modality="image",
            inputs=images,
            labels=every[index],
            label_names=names,
            fingerprint="",
            rows=len(every),
            seed=options.seed,
            notes=("Handwritten digits of scikit-learn that no embedded checkpoint has seen.",),
        )
        return finish(probe, [digest_bytes(each.data or b"") for each in images])


def _encode(image: Image.Image) -> bytes:
    """Encode without compression: other zlib builds would give other bytes and fingerprints."""
    data = io.BytesIO()
    image.save(data, format="BMP")
    return data.getvalue()
