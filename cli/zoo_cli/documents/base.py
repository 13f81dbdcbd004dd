"""What every document of ``--json`` begins with."""

from __future__ import annotations

import msgspec


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON document on standard output.

    Attributes:
        schema_version: 1; within a version fields are only added.
    """

    schema_version: int = 1


class ErrorFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Why a command failed.

    Attributes:
        message: one sentence.
        hint: what to type; may be empty.
        exit_code: the process's own.
    """

    message: str
    hint: str
    exit_code: int


class ErrorDocument(Document, frozen=True, kw_only=True):
    """What a command that failed prints in place of its document.

    Attributes:
        error: why.
    """

    error: ErrorFacts
