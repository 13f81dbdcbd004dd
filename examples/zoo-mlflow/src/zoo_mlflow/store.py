"""Where runs go: MLflow's store, opened quietly, and one run in it."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zoo import Settings, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

EXPERIMENT = "zoo"
#: Used while MLflow works, unless a person said otherwise: it asks nobody, prints nothing, and
#: gives a server that does not answer half a minute instead of many.
_CALM = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
_YES = frozenset({"1", "true", "yes", "on"})
_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
#: The most that MLflow takes at once.
_METRICS, _PARAMS = 1000, 100
_LONGEST = 5000


@dataclass(frozen=True)
class Store:
    """An experiment of an MLflow store."""

    client: Any
    experiment: str

    @contextlib.contextmanager
    def run(
        self, name: str, tags: Mapping[str, str], *, seconds: float = 0.0, parent: str = ""
    ) -> Iterator[Run]:
        """Open a run that began some seconds ago; it ends as failed if anything is raised."""
        more = {"mlflow.user": _user(), "mlflow.source.type": "LOCAL"}
        more |= {"mlflow.parentRunId": parent} if parent else {}
        made = self.client.create_run(
            self.experiment,
            start_time=int((time.time() - seconds) * 1000),
            tags={key: value[:_LONGEST] for key, value in {**more, **tags}.items() if value},
            run_name=name,
        )
        run = Run(self.client, made.info.run_id)
        try:
            yield run
        except BaseException:
            with contextlib.suppress(Exception):
                self.client.set_terminated(run.id, status="FAILED")
            raise
        self.client.set_terminated(run.id, status="FINISHED")

    def replace(self, key: str, value: str) -> None:
        """Put the runs with this tag, of an earlier attempt at the same, into MLflow's bin."""
        for run in self.client.search_runs([self.experiment], f"tags.`{key}` = '{value}'"):
            self.client.delete_run(run.info.run_id)


@dataclass(frozen=True)
class Run:
    """One run that is being written."""

    client: Any
    id: str

    def params(self, values: Mapping[str, object]) -> None:
        """Write what was chosen; what is None or empty is left out."""
        from mlflow.entities import Param

        known = [
            Param(key, str(value)[:_LONGEST])
            for key, value in values.items()
            if value not in {None, ""}
        ]
        for start in range(0, len(known), _PARAMS):
            self.client.log_batch(self.id, params=known[start : start + _PARAMS])

    def metrics(self, values: Iterable[tuple[str, float, int]]) -> None:
        """Write (name, number, step)."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        found = [Metric(name, float(value), now, step) for name, value, step in values]
        for start in range(0, len(found), _METRICS):
            self.client.log_batch(self.id, metrics=found[start : start + _METRICS])


@contextlib.contextmanager
def opened() -> Iterator[Store]:
    """Open the store that ``MLFLOW_TRACKING_URI`` names, else an SQLite file in Zoo's home.

    Raises:
        ZooError: MLflow cannot be written, in one sentence.
    """
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    home = Settings(home=os.environ.get("ZOO_HOME", "")).folder
    uri = named or f"sqlite:///{home / 'mlflow.db'}"
    if _remote(uri) and os.environ.get("HF_HUB_OFFLINE", "").lower() in _YES:
        raise ZooError(
            f"nothing was written to MLflow: {uri} is another machine, and Zoo is offline.",
            "MLFLOW_TRACKING_URI=sqlite:////some/file.db",
        )
    with _calm(), _explained(uri):
        if not named:
            home.mkdir(parents=True, exist_ok=True)
        # MLflow's own choice for files is the working directory.
        yield _open(uri, files=None if named else (home / "mlflow").as_uri())


def _open(uri: str, files: str | None) -> Store:
    from mlflow.tracking import MlflowClient

    # MLflow says on every start that it looks at its tables.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    client = MlflowClient(tracking_uri=uri)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "") or EXPERIMENT
    known = client.get_experiment_by_name(name)
    made = known.experiment_id if known else client.create_experiment(name, files)
    return Store(client, made)


def _remote(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme not in {"", "file", "sqlite"} and parts.hostname not in _THIS_MACHINE


@contextlib.contextmanager
def _calm() -> Iterator[None]:
    """Set what a person left open, and leave the process as it was: variables, log handlers."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    added = [name for name in _CALM if name not in os.environ]
    os.environ.update({name: _CALM[name] for name in added})
    try:
        # Those of MLflow's libraries are nothing that the person could act on.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in added:
            os.environ.pop(name, None)
        root.handlers[:] = handlers
        root.setLevel(level)


@contextlib.contextmanager
def _explained(uri: str) -> Iterator[None]:
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ZooError(
            f"nothing more was written to MLflow at {uri}: {lines[0][:300].rstrip('.')}.",
            "MLFLOW_TRACKING_URI names another place; --no-plugin zoo-mlflow does without.",
        ) from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
