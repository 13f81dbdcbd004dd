"""From a person's inputs to batches: decoded once, one view, prepared once a distinct reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset

from zoo.building.recipe import Views
from zoo.errors import InputError, ZooError
from zoo.probes.decoding import decode
from zoo.training.loading import choose_workers, make_loader
from zoo.training.scanning import scan
from zoo.training.setup import Batch
from zoo.training.views import PLAIN, part_of, view_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from PIL.Image import Image

    from zoo.types.training import InputReader

__all__ = ["Item", "Samples", "batch_of", "batches", "scan"]

#: (row, view, reader key -> prepared sample), or why there is none.
Item = tuple[int, int, dict[str, Any]] | ZooError
#: Before the key of a reader: what it prepared of a part of the sample.
_PART = "part of "


class Samples(Dataset[Item]):
    """N inputs as the networks read them; an index encodes a row and a view.

    Args:
        samples: N :class:`zoo.types.ImageInput`, texts or pairs of texts.
        readers: key -> reader, one for all networks with equal preprocessing.
        views: which crops of an image there are.
        seed: of the crops.
        modality: texts have no views.
        partial: keys of the readers that are given a part of every sample, too.
        show: makes the view of an image, its row and the view's number, in place of a crop.
    """

    def __init__(
        self,
        samples: Sequence[Any],
        readers: Mapping[str, InputReader],
        views: Views,
        seed: int,
        modality: str,
        *,
        partial: Iterable[str] = (),
        show: Callable[[Image, int, int], Image] | None = None,
    ) -> None:
        self.samples, self.readers = samples, dict(readers)
        self.views, self.seed, self.modality = views, seed, modality
        self.partial = {key: self.readers[key] for key in partial}
        self.show = show

    def __len__(self) -> int:
        return len(self.samples)

    def index(self, row: int, view: int = PLAIN) -> int:
        """Encode a row and a view."""
        return view * len(self.samples) + row

    def __getitem__(self, index: int) -> Item:
        view, row = divmod(index, len(self.samples))
        try:
            sample = self._see(row, view)
            seen = {key: each.prepare(sample) for key, each in self.readers.items()}
            if self.partial:
                part = part_of(sample, seed=self.seed, row=row, view=view)
                for key, each in self.partial.items():
                    seen[_PART + key] = each.prepare(part)
        except ZooError as error:  # an exception would come back from a worker as a traceback
            return error
        return row, view, seen

    def _see(self, row: int, view: int) -> Any:
        sample = self.samples[row]
        if sample is None:
            raise InputError(f"row {row + 1} of the data is empty.")
        if self.modality != "image":
            return sample
        if self.show is not None:
            return self.show(decode(sample), row, view)
        return view_of(decode(sample), seed=self.seed, row=row, view=view, settings=self.views)

    def collate(self, items: Sequence[Item]) -> dict[str, Any]:
        """Make what travels between processes; :func:`batch_of` opens it.

        Rows and views are arrays, which stay on the cpu where the loop moves tensors to a GPU.
        """
        good = []
        for item in items:
            if isinstance(item, ZooError):
                return {"problem": item}
            good.append(item)
        return {
            "rows": np.asarray([row for row, _, _ in good], dtype=np.int64),
            "views": np.asarray([view for _, view, _ in good], dtype=np.int64),
            "inputs": {
                key: reader.collate([prepared[key] for _, _, prepared in good])
                for key, reader in self.readers.items()
            },
            "partial": {
                key: reader.collate([prepared[_PART + key] for _, _, prepared in good])
                for key, reader in self.partial.items()
            },
        }


def batch_of(collated: Mapping[str, Any]) -> Batch:
    """Open what :meth:`Samples.collate` made.

    Raises:
        ZooError: a sample could not be read.
    """
    if "problem" in collated:
        raise collated["problem"]
    return Batch(
        rows=torch.from_numpy(collated["rows"]),
        views=torch.from_numpy(collated["views"]),
        inputs=collated["inputs"],
        partial=collated["partial"],
    )


def batches(
    samples: Sequence[Any],
    rows: Iterable[int],
    readers: Mapping[str, InputReader],
    *,
    view: int = PLAIN,
    views: Views | None = None,
    seed: int = 0,
    modality: str,
    batch: int,
    workers: int | None = 0,
) -> Iterator[Batch]:
    """Read one view of some rows, in their order; the last batch may be smaller.

    Args:
        samples: all inputs.
        rows: numbers of those to read.
        readers: key -> reader.
        view: which one.
        views: how the crops are drawn.
        seed: of the crops.
        modality: ``image`` or ``text``.
        batch: B, samples a batch.
        workers: processes that read ahead; None counts those that pay.

    Raises:
        ZooError: a sample could not be read.
    """
    data = Samples(samples, readers, views or Views(), seed, modality)
    order = [data.index(row, view) for row in rows]
    if workers is None:
        workers = choose_workers(data, data.collate, order[:batch], modality) if order else 0
    loader = make_loader(data, order, data.collate, batch=batch, workers=workers)
    return map(batch_of, loader)
