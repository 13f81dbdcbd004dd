"""Encoded images: found, read and recognised; never decoded.

Decoding to RGB, whatever the mode, and turning by the EXIF flag are the runtime's part, where they
happen once for all checkpoints. Here only the header is looked at, so that a wrong file is named
before a forward pass is spent.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo.errors import InputError
from zoo.probes import fingerprint
from zoo.probes.words import count
from zoo.types.probe import ImageInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zoo.probes.rows import Rows

_ORIENTATION = 0x0112
_ON_THEIR_SIDE = frozenset({5, 6, 7, 8})


def read(rows: Rows, column: str, index: Any) -> tuple[list[ImageInput], list[bytes]]:
    """Give the images of some rows and their digests.

    Raises:
        InputError: files that are missing, or no images.
    """
    images = of_rows(rows, column, index)
    return images, digests(images, rows.origin.source)


def of_rows(rows: Rows, column: str, index: Any) -> list[ImageInput]:
    """Give the images of some rows, unread where they are files."""
    if column in rows.heavy:
        cells = rows.take(column, index)
    else:
        cells = rows.light.column(column).take(_arrow(index)).to_pylist()
    return [
        image_of(cell, rows.locate(int(row)), rows.origin.base)
        for cell, row in zip(cells, index, strict=True)
    ]


def image_of(cell: Any, where: str, base: Path | None) -> ImageInput:
    """Make one image of a cell: encoded bytes, ``{bytes, path}``, or a path."""
    if isinstance(cell, bytes):
        return ImageInput(name=where, data=cell)
    if isinstance(cell, dict) and cell["bytes"] is not None:
        name = f"{where} ({cell['path']})" if cell["path"] else where
        return ImageInput(name=name, data=cell["bytes"])
    text = cell["path"] if isinstance(cell, dict) else cell
    if "://" in text:
        raise InputError(
            f"{where} names the image {text!r}; images are not downloaded one by one.",
            "Download them, and write their paths into the column.",
        )
    path = Path(text).expanduser()
    whole = path if path.is_absolute() or base is None else base / path
    name = text if where == text else f"{where} ({text})"
    return ImageInput(name=name, path=str(whole.absolute()))


def digests(images: Sequence[ImageInput], source: str) -> list[bytes]:
    """Read each image once: recognise it and digest its bytes.

    Raises:
        InputError: naming the first file that is missing or no image, and how many there are.
    """
    found, faults = [], []
    for image in images:
        try:
            data = image.data if image.data is not None else Path(image.path or "").read_bytes()
            _recognise(data)
        except (OSError, ValueError, SyntaxError) as error:
            faults.append((image, error))
            continue
        found.append(fingerprint.digest_bytes(data))
    if faults:
        raise _fault(faults, source)
    return found


def sizes(images: Sequence[ImageInput], source: str) -> npt.NDArray[np.float64]:
    """Read width and height off the headers, as the images are seen: turned by the EXIF flag.

    Returns:
        (N, 2) pixels.

    Raises:
        InputError: naming the first file that is missing or no image, and how many there are.
    """
    found, faults = [], []
    for image in images:
        try:
            found.append(_size(io.BytesIO(image.data) if image.data is not None else image.path))
        except (OSError, ValueError, SyntaxError) as error:
            faults.append((image, error))
    if faults:
        raise _fault(faults, source)
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def _size(file: Any) -> tuple[int, int]:
    import warnings

    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as image:
            width, height = image.size
            turned = image.getexif().get(_ORIENTATION, 1) in _ON_THEIR_SIDE
    return (height, width) if turned else (width, height)


def _recognise(data: bytes) -> None:
    import warnings

    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            Image.open(io.BytesIO(data)).close()
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from error


def _fault(faults: Sequence[tuple[ImageInput, Exception]], source: str) -> InputError:
    image, error = faults[0]
    more = f" (and {count(len(faults) - 1, 'other')})" if len(faults) > 1 else ""
    if isinstance(error, FileNotFoundError):
        return InputError(
            f"image {image.name!r} of {source!r} is not there{more}; it was looked for at "
            f"{image.path!r}.",
            "Paths are relative to the folder of the file that names them.",
        )
    reason = getattr(error, "strerror", None) or _reason(image, error)
    return InputError(
        f"image {image.name!r} of {source!r} cannot be read{more}: {reason}.",
        "Replace it or take it away.",
    )


def _reason(image: ImageInput, error: Exception) -> str:
    size = len(image.data) if image.data is not None else Path(image.path or "").stat().st_size
    if not size:
        return "it is empty"
    if "cannot identify" in str(error):
        return "it is no image of a known format"
    return str(error).splitlines()[0].rstrip(".")


def _arrow(index: Any) -> Any:
    import pyarrow as pa

    return pa.array(index)
