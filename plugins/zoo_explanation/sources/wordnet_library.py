"""Wordnets through the ``wn`` library: its data where it has some, its download otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import InputError, OfflineError, ZooError
from zoo.types.reporting import SourceFacts
from zoo_explanation.sources.synsets import (
    RELATIONS,
    Synset,
    node_of,
    wnid_of,
    write_order,
    write_synset,
)
from zoo_explanation.sources.wordnet_lmf import license_of, write_lmf
from zoo_explanation.sources.wordnet_parquet import CREDIT

if TYPE_CHECKING:
    from zoo_explanation.sources.ntriples import TripleWriter

#: Which wordnet is fetched: the newest that every supported ``wn`` knows.
RELEASE = "oewn:2024"
_KNOWN = ("oewn", "ewn", "omw-en")
_FROM = "zoo graph fetch wordnet --from /usr/share/wordnet (of Debian's wordnet-base)"


def write_library(writer: TripleWriter, *, offline: bool) -> SourceFacts:
    """Write the nouns of what ``wn`` has, or of what it fetches.

    Raises:
        InputError: ``wn`` is not installed.
        OfflineError: it has none, and the network must not be asked.
        ZooError: it could not fetch.
    """
    try:
        import wn
    except ImportError:
        raise InputError(
            "WordNet is fetched by the wn library, which is not installed.",
            f"Type: pip install 'zoo-reuse[graph]', or: {_FROM}",
        ) from None
    try:
        installed = _installed(wn)
        if installed is not None:
            return _write(wn, installed, writer)
        cached = wn.config.get_project_info(RELEASE).get("cache")
        if cached is None and offline:
            raise OfflineError(
                f"WordNet would have to be fetched, and the wn library has none in "
                f"{wn.config.data_directory}.",
                f"Type, without --offline: zoo graph fetch wordnet; or: {_FROM}",
            )
        path = cached or wn.download(RELEASE, add=False, progress_handler=None)
    except (wn.Error, OSError) as error:
        raise ZooError(f"the wn library gave no WordNet: {error}.", f"Or type: {_FROM}") from error
    return write_lmf(Path(path), writer)


def _installed(wn: Any) -> Any:
    """Give the lexicon of its database to read: of the best known kind, the newest."""
    if not wn.config.database_path.exists():  # asking would make one
        return None
    found = [each for each in wn.lexicons() if each.id in _KNOWN]
    found.sort(key=lambda each: each.version, reverse=True)
    return min(found, key=lambda each: _KNOWN.index(each.id), default=None)


def _write(wn: Any, lexicon: Any, writer: TripleWriter) -> SourceFacts:
    wordnet = wn.Wordnet(lexicon=lexicon.specifier(), expand="")
    wnids = _wnids(wn)
    for synset in wordnet.synsets(pos="n"):
        write_synset(writer, _synset(synset, wnids))
    order: dict[str, list[str]] = {}
    for word in wordnet.words(pos="n"):
        nodes = [node_of(sense.synset().id) for sense in word.senses()]
        order.setdefault(word.lemma(), []).extend(nodes)
    write_order(writer, order)
    return SourceFacts(
        version=lexicon.version if wnids else f"{lexicon.version}, without WordNet 3.0 ids",
        license=license_of(lexicon.license),
        credit=CREDIT if lexicon.id in _KNOWN[:2] else f"Contains data from {lexicon.label}.",
    )


def _synset(synset: Any, wnids: dict[str, str]) -> Synset:
    related = synset.relations(*RELATIONS)
    number = _ili(synset)
    return Synset(
        iri=node_of(synset.id),
        lemmas=synset.lemmas(),
        gloss=synset.definition() or "",
        field=synset.lexfile() or "",
        wnid30=wnids.get(number, wnid_of(synset.id)),
        ili=number,
        links={name: [node_of(each.id) for each in related.get(name, ())] for name in RELATIONS},
    )


def _wnids(wn: Any) -> dict[str, str]:
    """Find the WordNet 3.0 ids by ILI number where the library also has WordNet 3.0."""
    if not any(each.id == "omw-en" for each in wn.lexicons()):
        return {}
    found = {}
    for synset in wn.Wordnet(lexicon="omw-en:*", expand="").synsets(pos="n"):
        if number := _ili(synset):
            found[number] = wnid_of(synset.id)
    return found


def _ili(synset: Any) -> str:
    """Give its ILI number; older releases of ``wn`` wrap it."""
    return str(getattr(synset.ili, "id", synset.ili) or "")
