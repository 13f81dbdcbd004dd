"""A failure kept as data, so that one plugin or checkpoint cannot stop the others."""

from __future__ import annotations

import msgspec

from zoo.errors import ZooError


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, where, and what to do about it.

    Attributes:
        stage: ``plugin``, ``inspect``, ``fetch``, ``load``, ``extract``, ``score`` ...
        error: one sentence.
        hint: what to do; may be empty.
        model: the checkpoint it concerns, if any.
        plugin: the plugin it concerns, if any.
        version: that of the plugin's distribution; empty where there is no plugin.
    """

    stage: str
    error: str
    hint: str = ""
    model: str | None = None
    plugin: str | None = None
    version: str = ""

    @classmethod
    def of(
        cls,
        error: BaseException,
        *,
        stage: str,
        model: str | None = None,
        plugin: str | None = None,
        version: str = "",
        hint: str = "",
    ) -> Failure:
        """Turn an exception into data; a :class:`ZooError` brings its own sentence and hint."""
        if isinstance(error, ZooError):
            text, hint = error.message, error.hint or hint
        else:
            detail = str(error).strip().splitlines()
            text = f"{type(error).__name__}: {detail[0]}" if detail else type(error).__name__
        return cls(stage=stage, error=text, hint=hint, model=model, plugin=plugin, version=version)

    def __str__(self) -> str:
        """One line for a terminal."""
        plugin = f"{self.plugin} {self.version}".rstrip() if self.plugin else ""
        if self.model and plugin:
            return f"{self.model} ({self.stage}, {plugin}): {self.error}"
        who = self.model or plugin
        return f"{who} ({self.stage}): {self.error}" if who else f"{self.stage}: {self.error}"
