"""Settings: defaults < file < environment < flags, one frozen object that knows its origins."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from zoo.errors import InputError, unknown_name
from zoo.types.runtimes import Precision

FILE_NAME = "zoo.toml"

Count = Annotated[int, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What shapes a run and is not the question itself.

    Attributes:
        home: folder of the store, the runs and the caches.
        registry: registry file; empty follows the search order.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:n``.
        runtime: ``auto`` or the name of a runtime.
        precision: numbers that forward passes compute in: ``fp32``, ``bf16`` or ``fp16``.
        jobs: worker processes; 0 means one a core.
        threads: compute threads of each worker.
        offline: never ask the network.
        probe_size: samples that a probe is cut to.
        seed: seed of samples and permutations.
        permutations: shuffled label sets for the null.
        folds: folds of the jack-knife.
        timeout: seconds that one model may take; 0 means no limit.
        disable_plugins: plugins not to load.
        strict: a failure of one model or plugin ends the command.
    """

    home: str = ""
    registry: str = ""
    device: str = "auto"
    runtime: str = "auto"
    precision: Precision = "fp32"
    jobs: Count = 0
    threads: Annotated[int, msgspec.Meta(ge=1)] = 1
    offline: bool = False
    probe_size: int = 1000
    seed: int = 0
    permutations: Count = 50
    folds: Count = 10
    timeout: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    disable_plugins: tuple[str, ...] = ()
    strict: bool = False

    @property
    def folder(self) -> Path:
        """``home`` as an absolute path, with the platform's cache folder as the default."""
        if self.home:
            return Path(self.home).expanduser().absolute()
        from platformdirs import user_cache_path

        return user_cache_path("zoo")


class Resolved(msgspec.Struct, frozen=True):
    """Settings, and where each value came from."""

    settings: Settings
    origins: dict[str, str]


def resolve(flags: dict[str, Any] | None = None, folder: Path | None = None) -> Resolved:
    """Merge the four origins.

    Args:
        flags: what the command line gave; None values were not given.
        folder: where to look for ``zoo.toml`` and ``pyproject.toml``; the working directory.

    Raises:
        InputError: an unknown key or a value of the wrong type, with the file or variable named.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.__struct_fields__, "default")
    layers = [_from_file(folder or Path.cwd()), _from_environment()]
    layers.append({name: (value, "flag") for name, value in (flags or {}).items()})
    for layer in layers:
        for name, (value, origin) in layer.items():
            if value is not None:
                values[name], origins[name] = value, origin
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}:
        values["offline"], origins["offline"] = True, "HF_HUB_OFFLINE"
    return Resolved(_convert(values, origins), origins)


def _from_file(folder: Path) -> dict[str, tuple[Any, str]]:
    for path, section in ((folder / FILE_NAME, ()), (folder / "pyproject.toml", ("tool", "zoo"))):
        try:
            table: Any = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            if section:  # somebody else's broken pyproject is not ours to complain about
                continue
            raise InputError(f"{path} is not valid TOML: {error}.") from error
        for name in section:
            table = table.get(name, {}) if isinstance(table, dict) else {}
        if not table and section:
            continue
        if not isinstance(table, dict):
            raise InputError(f"{path}: {'.'.join(section)} is no table of settings.", "[tool.zoo]")
        for name in table:
            if name not in Settings.__struct_fields__:
                unknown = unknown_name("setting", name, Settings.__struct_fields__)
                raise InputError(f"{path}: {unknown.message}", "zoo config show")
        return {name: (value, str(path)) for name, value in table.items()}
    return {}


def _from_environment() -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    for name in Settings.__struct_fields__:
        variable = f"ZOO_{name.upper()}"
        text = os.environ.get(variable)
        if text:
            value = text.split(",") if name == "disable_plugins" else text
            found[name] = (value, variable)
    return found


def _convert(values: dict[str, Any], origins: dict[str, str]) -> Settings:
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$.")
        name = where.rstrip("`").partition("[")[0]
        raise InputError(
            f"setting {name!r} from {origins.get(name, 'somewhere')}: {message}.",
            _one_of(name) or "zoo config show",
        ) from error


def _one_of(name: str) -> str:
    """List the words that a setting may be; empty where it may be many."""
    kinds = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    words = get_args(kinds[name]) if get_origin(kinds.get(name)) is Literal else ()
    return f"Write {', '.join(words[:-1])} or {words[-1]}." if words else ""
