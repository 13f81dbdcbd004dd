"""Explain a run, or what a model makes of a class that it never saw."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.errors import InputError, NotApplicable, ZooError
from zoo.events import Listener, ignore
from zoo.explaining.checkpoints import card_of, classifier_of, label_space
from zoo.explaining.ledger import Ledger
from zoo.explaining.looking import Looking
from zoo.explaining.naming import choose
from zoo.explaining.telling import ask, compose, reporters
from zoo.explaining.texts import encoder_of
from zoo.explaining.wording import listed
from zoo.graph import open_graph
from zoo.plan import find_candidates, source_of
from zoo.runs import Request
from zoo.score_tables import short_name
from zoo.sources import open_sources
from zoo.types.protocols import ProbeOptions
from zoo.types.reporting import Case, LabelSpace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from zoo.catalogue import Catalogue
    from zoo.graph import Graph
    from zoo.runs import Run
    from zoo.settings import Settings
    from zoo.types.explaining import Report
    from zoo.types.model import Checkpoint
    from zoo.types.ranking import Ranking
    from zoo.types.reporting import Classifier, TransferRecord

_MAPS = "attributions"
_NOBODY = Ledger()


def explain_run(
    run: Run,
    settings: Settings,
    catalogue: Catalogue,
    *,
    model: str = "",
    against: str = "",
    senses: Mapping[str, str] | None = None,
    history: Sequence[TransferRecord] = (),
    encoder: str = "",
    maps: bool = True,
    only: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    on_event: Listener = ignore,
) -> Report:
    """Say why one model of a run stands where it does, with the evidence of every sentence.

    Args:
        run: a finished one.
        settings: how to run what has to be measured again.
        catalogue: where the reporters are.
        model: reference, short name or rank; empty takes the first.
        against: the same for what it is compared with; empty takes the next best.
        senses: label -> sense, where a name has several.
        history: recorded transfers beside those of the person's own runs.
        encoder: what turns texts into vectors: a label encoder, or a text checkpoint.
        maps: attribute a few samples to their pictures, which takes a backward pass each.
        only: names of reporters; none takes all.
        options: reporter -> its options.
        on_event: is told what happens.

    Raises:
        InputError: no such model, reporter or encoder; a run without a ranking.
    """
    ranking = _ranking(run)
    model, against = choose(ranking, model, against)
    specs = reporters(catalogue, "ranking", only, without=() if maps else (_MAPS,))
    files = _Files(run.request, settings, catalogue, (model, against))
    looking = Looking(
        run.request,
        settings,
        catalogue,
        fingerprint=ranking.probe.fingerprint,
        layers={row.model: row.layer for row in ranking.ranking},
        on_event=on_event,
    )
    with ExitStack() as stack:
        graph = stack.enter_context(open_graph(settings.folder))
        case = _encoding(
            Case(
                ledger=_NOBODY,
                model=model,
                against=against,
                ranking=ranking,
                origin=_origin(run),
                target=_target(ranking),
                spaces=files.spaces,
                entries=files.entries,
                cards=files.cards,
                graph=graph,
                history=files.with_classes((*_recorded(graph), *history)),
                senses=dict(senses or {}),
                seed=ranking.provenance.seed,
                read_features=looking.features,
                read_maps=looking.maps,
                read_classifier=files.classifier,
            ),
            encoder,
            settings,
            catalogue,
            on_event,
        )
        ledgers, failures = ask(case, specs, catalogue, options=options)
        return compose(
            ledgers,
            failures,
            case,
            subject="ranking",
            title=_title(ranking, model, against),
            run=run.name,
            model=model,
            against=against,
            data=ranking.probe.name,
        )


def explain_class(
    model: str,
    unseen: Sequence[str],
    settings: Settings,
    catalogue: Catalogue,
    *,
    data: str = "",
    probe: ProbeOptions | None = None,
    senses: Mapping[str, str] | None = None,
    encoder: str = "",
    only: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    on_event: Listener = ignore,
) -> Report:
    """Say what a classifier makes of classes that it never saw, and why.

    Args:
        model: a reference, a folder or a name of the registry.
        unseen: names of the classes.
        data: labelled samples to try it on; empty for none.
        probe: how to read them.
        settings: as for a run, like everything below.
        catalogue: where the reporters are.
        senses: label -> sense.
        encoder: what turns texts into vectors.
        only: names of reporters.
        options: reporter -> its options.
        on_event: is told what happens.

    Raises:
        InputError: no such model, reporter or encoder; the data cannot be read.
    """
    options_ = probe or ProbeOptions(
        samples=settings.probe_size, seed=settings.seed, offline=settings.offline
    )
    request = Request(data=data, probe=options_, folder=str(Path.cwd()), models=(model,))
    specs = reporters(catalogue, "class", only)
    files = _Files(request, settings, catalogue)
    name = files.require()
    looking = Looking(request, settings, catalogue, on_event=on_event)
    with ExitStack() as stack:
        graph = stack.enter_context(open_graph(settings.folder))
        case = Case(
            ledger=_NOBODY,
            model=name,
            spaces=files.spaces,
            entries=files.entries,
            cards=files.cards,
            graph=graph,
            senses=dict(senses or {}),
            unseen=tuple(unseen),
            seed=settings.seed,
            read_classifier=files.classifier,
        )
        if data:
            found = _require_data(looking)
            case = replace(case, target=found, read_features=looking.features)
        case = _encoding(case, encoder, settings, catalogue, on_event)
        ledgers, failures = ask(case, specs, catalogue, options=options)
        return compose(
            ledgers,
            failures,
            case,
            subject="class",
            title=f"{listed(unseen)} in the eyes of {short_name(name)}",
            model=name,
            data=case.target.name,
        )


class _Files:
    """Checkpoints of a question, fetched when somebody asks for what is in them."""

    def __init__(
        self,
        request: Request,
        settings: Settings,
        catalogue: Catalogue,
        wanted: Iterable[str] = (),
    ) -> None:
        _, self._candidates = find_candidates(request, settings)
        self._sources = open_sources(catalogue, settings)
        self._found: dict[str, Checkpoint | ZooError] = {}
        self._names = [each for each in wanted if each] or [
            each.model for each in self._candidates[:1]
        ]
        known = [each for each in map(self._fetched, self._names) if each is not None]
        spaces = {each.model: label_space(each) for each in known}
        self.spaces = {name: each for name, each in spaces.items() if each is not None}
        self.entries = {each.model: each.entry for each in known}
        self.cards = {each.model: card_of(each) for each in known}

    def require(self) -> str:
        """Give the name of the one model this is about.

        Raises:
            ZooError: what is wrong with it.
        """
        found = self._found[self._names[0]]
        if isinstance(found, ZooError):
            raise found
        return found.model

    def classifier(self, model: str) -> Classifier:
        """Read a model's last linear layer.

        Raises:
            NotApplicable: it is not here, or has none.
        """
        checkpoint = self._fetched(model)
        if checkpoint is None:
            error = self._found[model]
            assert isinstance(error, ZooError)
            raise NotApplicable(f"{model} cannot be opened: {error.message.rstrip('.')}")
        return classifier_of(checkpoint)

    def with_classes(self, history: Iterable[TransferRecord]) -> tuple[TransferRecord, ...]:
        """Add the classes of each source's own head, where its files say them."""
        known: dict[str, tuple[str, ...]] = {}

        def classes(model: str) -> tuple[str, ...]:
            if model not in known:
                checkpoint = self._fetched(model)
                space = label_space(checkpoint) if checkpoint is not None else None
                known[model] = space.labels if space is not None else ()
            return known[model]

        return tuple(
            each
            if each.source_labels
            else msgspec.structs.replace(each, source_labels=classes(each.source))
            for each in history
        )

    def _fetched(self, model: str) -> Checkpoint | None:
        if model not in self._found:
            named = [each for each in self._candidates if each.model == model]
            try:
                if not named:
                    raise InputError(f"{model} is in the registry no more.")
                self._found[model] = source_of(named[0], self._sources).fetch(named[0])
            except ZooError as error:
                self._found[model] = error
        found = self._found[model]
        return None if isinstance(found, ZooError) else found


def _ranking(run: Run) -> Ranking:
    ranking = run.require_ranking()
    if not ranking.ranking:
        raise InputError(
            f"run {run.name} ranked no model: there is no order to explain.",
            f"zoo runs show {run.name} lists what went wrong.",
        )
    return ranking


def _origin(run: Run) -> tuple[str, str]:
    content = (run.folder / "ranking.json").read_bytes()
    return f"ranking.json of run {run.name}", hashlib.sha256(content).hexdigest()


def _target(ranking: Ranking) -> LabelSpace:
    return LabelSpace(
        name=ranking.probe.name,
        labels=ranking.probe.labels,
        source=f"{ranking.probe.source}, {ranking.probe.task}",
        sha256=ranking.probe.fingerprint,
    )


def _title(ranking: Ranking, model: str, against: str) -> str:
    names = " and ".join(short_name(each) for each in (model, against) if each)
    return f"{names} for {ranking.probe.name}"


def _require_data(looking: Looking) -> LabelSpace:
    try:
        probe = looking.prepared.probe
    except NotApplicable as error:
        cause = error.__cause__
        raise (cause if isinstance(cause, ZooError) else InputError(f"{error}.")) from error
    return LabelSpace(
        name=probe.name,
        labels=tuple(probe.label_names),
        source=probe.source,
        sha256=probe.fingerprint,
    )


def _encoding(
    case: Case, encoder: str, settings: Settings, catalogue: Catalogue, on_event: Listener
) -> Case:
    if not encoder:
        return case
    return replace(case, encode=encoder_of(encoder, settings, catalogue, on_event), encoder=encoder)


def _recorded(graph: Graph) -> tuple[TransferRecord, ...]:
    """Give the transfers that the graph remembers from the person's own runs."""
    from zoo.graph.provenance import history_of

    return history_of(graph)
