"""Ask the Hub through huggingface_hub, patiently, and explain its refusals in one sentence."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import (
    CheckpointError,
    HubError,
    OfflineError,
    UnknownModelError,
    UnreachableError,
    ZooError,
)
from zoo.hub.retry import Retry, is_transient, is_unreachable, retry_after, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx2


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A repository at one commit.

    Attributes:
        commit: 40 hex digits.
        sizes: path -> bytes.
        digests: path -> sha256, or ``sha1:`` and the git blob id of a small file.
        card: front matter of the card, with the Hub's own pipeline tag and library.
    """

    commit: str
    sizes: Mapping[str, int]
    digests: Mapping[str, str]
    card: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HubClient:
    """Reads repositories of models.

    Attributes:
        endpoint: address of the Hub.
        retry: how patient to be.
    """

    endpoint: str
    retry: Retry = field(default_factory=Retry)

    def listing(self, repo: str, revision: str | None = None) -> Listing:
        """List the files at the commit that a revision stands for, in one request.

        Raises:
            CheckpointError: not found, gated, no such revision.
            HubError: no answer.
        """
        from huggingface_hub import HfApi, constants

        api = HfApi(endpoint=self.endpoint)
        timeout = constants.HF_HUB_ETAG_TIMEOUT
        with self.explained(repo, revision):
            info = self.retry.call(
                lambda: api.model_info(
                    repo, revision=revision, files_metadata=True, timeout=timeout
                )
            )
        return _listing(info)

    def read(self, repo: str, commit: str, path: str, start: int, length: int | None) -> bytes:
        """Read a file or a range of it."""
        wanted = None if length is None else (start, start + length - 1)

        def action() -> bytes:
            with self.stream(repo, commit, path, wanted) as response:
                content: bytes = response.read()
            if wanted and response.status_code != 206:
                return content[wanted[0] : wanted[1] + 1]
            return content

        with self.explained(repo, commit):
            return self.retry.call(action)

    @contextmanager
    def stream(
        self, repo: str, commit: str, path: str, wanted: tuple[int, int | None] | None = None
    ) -> Iterator[httpx2.Response]:
        """Open the body of a file, from a byte to a byte; one attempt.

        Yields:
            A response with status 200, or 206 where the server heeds ranges.

        Raises:
            HfHubHTTPError, httpx2.TransportError: unexplained, for :class:`Retry`.
        """
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        url = hf_hub_url(repo, path, revision=commit, endpoint=self.endpoint)
        # A compressed body would have neither the length nor the offsets of the file.
        headers = build_hf_headers(library_name="zoo") | {"Accept-Encoding": "identity"}
        if wanted:
            first, last = wanted
            headers["Range"] = f"bytes={first}-{'' if last is None else last}"
        with get_session().stream(
            "GET",
            url,
            headers=headers,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
            follow_redirects=True,
        ) as response:
            if response.status_code >= 400:
                response.read()
            hf_raise_for_status(response)
            yield response

    @contextmanager
    def explained(self, repo: str, revision: str | None = None) -> Iterator[None]:
        """Turn what the client raises into one sentence and a hint."""
        from huggingface_hub.errors import OfflineModeIsEnabled

        try:
            yield
        except ZooError:
            raise
        except OfflineModeIsEnabled as error:
            raise OfflineError(
                f"offline, and hub:{repo} is not on this machine.", f"zoo models pull hub:{repo}"
            ) from error
        except Exception as error:
            explanation = self._explain(error, repo, revision)
            if explanation is None:
                raise
            raise explanation from error

    def _explain(self, error: Exception, repo: str, revision: str | None) -> ZooError | None:
        refusal = _refusal(error, repo, revision, self.endpoint)
        if refusal:
            return refusal
        if is_unreachable(error):
            return UnreachableError(
                f"the Hub at {self.endpoint} cannot be reached: {_first_line(error)}.",
                "Check the network; --offline uses only what is on this machine.",
            )
        status = status_of(error)
        if status == 429:
            wait = retry_after(getattr(error, "response").headers)  # noqa: B009 -- untyped
            asked = f"; it asks to wait {wait:.0f} s" if wait else ""
            return HubError(
                f"the Hub limits how often this machine may ask (429){asked}.",
                "hf auth login raises the limit.",
            )
        if status is not None:
            return HubError(
                f"the Hub answered {status} for hub:{repo}.",
                "Try again later." if status >= 500 else "",
            )
        if is_transient(error):
            return HubError(
                f"the connection to {self.endpoint} broke every time, last with "
                f"{type(error).__name__} for hub:{repo}.",
                "Run the same command again: it goes on where it stopped.",
            )
        return None


def _refusal(error: Exception, repo: str, revision: str | None, endpoint: str) -> ZooError | None:
    """Explain what trying again cannot cure."""
    from huggingface_hub import errors

    refusal: ZooError | None = None
    if isinstance(error, errors.GatedRepoError):
        refusal = CheckpointError(
            f"hub:{repo} is gated: its owner must let you in first.",
            f"Ask for access at {endpoint}/{repo}, then: hf auth login",
        )
    elif isinstance(error, errors.RepositoryNotFoundError):
        hint = "Check the spelling; for a private model: hf auth login"
        if Path(repo).is_dir():
            hint = f"For the folder of that name, type ./{repo}"
        refusal = UnknownModelError(f"the Hub has no model {repo!r}, or it is private.", hint)
    elif isinstance(error, errors.RevisionNotFoundError):
        refusal = CheckpointError(
            f"hub:{repo} has no revision {revision!r}.",
            f"hub:{repo} alone takes the main branch; a commit needs all its 40 hex digits.",
        )
    elif isinstance(error, errors.EntryNotFoundError):
        refusal = CheckpointError(f"hub:{repo} lists a file that it does not serve.")
    elif isinstance(error, errors.HFValidationError):
        refusal = CheckpointError(f"{repo!r} is no name of a Hub model.", "Write hub:org/name.")
    elif status_of(error) in {401, 403}:
        refusal = HubError(
            f"the Hub does not let this token read hub:{repo} ({status_of(error)}).",
            "hf auth login, or unset HF_TOKEN for a public model.",
        )
    return refusal


def _listing(info: Any) -> Listing:
    sizes: dict[str, int] = {}
    digests: dict[str, str] = {}
    for file in info.siblings or ():
        sizes[file.rfilename] = file.size or 0
        if file.lfs is not None:
            digests[file.rfilename] = file.lfs.sha256
        elif file.blob_id:
            digests[file.rfilename] = f"sha1:{file.blob_id}"
    card = info.card_data.to_dict() if info.card_data else {}
    for name, value in (("pipeline_tag", info.pipeline_tag), ("library_name", info.library_name)):
        if value and not card.get(name):
            card[name] = value
    return Listing(commit=info.sha, sizes=sizes, digests=digests, card=card)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
