"""Who takes part, decided before a weight is fetched."""

from __future__ import annotations

import json

import msgspec
import pytest

from zoo import hookimpl
from zoo.builtin import zoo_exclude_candidates
from zoo.catalogue import Catalogue
from zoo.errors import InputError, NothingMatchedError, UnknownNameError
from zoo.host import PluginHost
from zoo.plan import find_candidates, make_plan
from zoo.runs import Request
from zoo.settings import Settings
from zoo.testing.tiny_checkpoints import build_tiny_checkpoint
from zoo.types.limits import Limits
from zoo.types.model import Candidate, ModelEntry
from zoo.types.ranking import ProbeSummary
from zoo.types.specs import RuntimeSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue(PluginHost().discover())


@pytest.fixture
def probe():
    return ProbeSummary(
        name="x",
        source="x",
        task="classification",
        modality="image",
        samples=10,
        classes=2,
        fingerprint="0" * 64,
        seed=0,
        rows=10,
    )


def plan(catalogue, probe, tmp_path, how=None, **question):
    settings = Settings(home=str(tmp_path / "home"), offline=True, **(how or {}))
    request = Request(data="x", folder=str(tmp_path), **question)
    return make_plan(request, probe, settings, catalogue, jobs=1)


def test_a_wrong_name_is_told_before_anything_is_looked_at(catalogue, probe, tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean 'logme'"):
        plan(catalogue, probe, tmp_path, estimators=("logmee",), registry="missing.json")


def test_the_registry_of_the_person_s_folder_is_read_from_wherever_a_run_goes_on(tmp_path):
    there = tmp_path / "registry.json"
    there.write_text(json.dumps({"models": [{"ref": "hub:org/net"}]}))
    path, candidates = find_candidates(Request(data="x", folder=str(tmp_path)), Settings())
    assert path == str(there)
    assert [each.model for each in candidates] == ["hub:org/net"]


@pytest.mark.parametrize("text", ["org/net", "hub:org/net", f"hub:org/net@{COMMIT}"])
def test_trust_is_given_by_any_name_of_the_model_and_to_no_other(tmp_path, text):
    models = [{"ref": f"hub:org/net@{COMMIT}"}, {"ref": "hub:org/other"}]
    (tmp_path / "registry.json").write_text(json.dumps({"models": models}))
    request = Request(data="x", folder=str(tmp_path), trust_remote_code=(text,))
    _, candidates = find_candidates(request, Settings())
    assert [each.trust_remote_code for each in candidates] == [True, False]


@pytest.mark.parametrize(
    ("licence", "inspected", "kept"),
    [("MIT", False, True), ("gpl-3.0", False, False), (None, False, True), (None, True, False)],
)
def test_a_licence_that_is_not_known_after_inspection_is_none_of_those(
    probe, licence, inspected, kept
):
    candidate = Candidate(entry=ModelEntry(ref="hub:org/net", license=licence), base="/")
    limits = Limits(licenses=("mit", "apache-2.0"), inspected=inspected)
    assert (not zoo_exclude_candidates((candidate,), probe, limits)) is kept


def test_a_plugin_that_excludes_nonsense_is_refused_and_the_plan_goes_on(probe, tmp_path):
    class Stranger:
        @hookimpl
        def zoo_exclude_candidates(self, candidates):
            return [each.model for each in candidates]

    host = PluginHost().discover()
    host.register(Stranger(), name="stranger:x")
    catalogue = Catalogue(host)
    found = plan(catalogue, probe, tmp_path, models=("embedded:vit-digit-parity",))
    assert [each.candidate.model for each in found.models] == ["embedded:vit-digit-parity"]
    (failure,) = host.failures
    assert (failure.plugin, failure.stage) == ("stranger:x", "zoo_exclude_candidates")


def test_nothing_left_of_named_models_blames_no_registry(catalogue, probe, tmp_path):
    with pytest.raises(NothingMatchedError) as caught:
        plan(catalogue, probe, tmp_path, models=("embedded:vit-digit-parity",), max_size=100)
    message = caught.value.message
    assert message.startswith("no model is left (embedded:vit-digit-parity: 335 kB, over")


VIT, SWIN = "embedded:vit-digit-parity", "embedded:swin-orientations"


def test_all_takes_every_estimator_that_reads_the_data_and_does_the_task(
    catalogue, probe, tmp_path
):
    found = plan(catalogue, probe, tmp_path, models=(VIT,), estimators=("all", "knn"))
    specs = catalogue.specs("estimator")
    assert set(found.estimators) == {
        name
        for name, spec in specs.items()
        if spec.reads_features and "classification" in spec.tasks
    }
    assert any(specs[name].cost == "expensive" for name in found.estimators)


def test_a_prior_may_be_named_beside_others_and_not_alone(catalogue, probe, tmp_path):
    found = plan(catalogue, probe, tmp_path, models=(VIT,), estimators=("prior", "knn"))
    assert found.estimators == ("knn",)
    with pytest.raises(InputError, match="prior reads no data"):
        plan(catalogue, probe, tmp_path, models=(VIT,), estimators=("prior",))


class TestReference:
    def test_it_is_planned_beside_the_candidates_and_no_limit_is_meant_for_it(
        self, catalogue, probe, tmp_path
    ):
        found = plan(
            catalogue,
            probe,
            tmp_path,
            models=(VIT,),
            reference=SWIN,
            estimators=("rsa",),
            licenses=("apache-2.0",),
        )
        assert [each.candidate.model for each in found.models] == [VIT]
        assert found.reference.candidate.model == SWIN

    @pytest.mark.parametrize(
        ("reference", "words"),
        [("hub:no/such", "hub:no/such"), ("nosuch", "nosuch"), ("./nowhere", "./nowhere")],
    )
    def test_one_that_cannot_be_had_is_bad_input(
        self, catalogue, probe, tmp_path, reference, words
    ):
        question = {"models": (VIT,), "estimators": ("rsa",), "reference": reference}
        with pytest.raises(InputError, match=words) as caught:
            plan(catalogue, probe, tmp_path, **question)
        assert caught.value.hint

    def test_one_that_does_not_read_the_data_is_bad_input(self, catalogue, probe, tmp_path):
        texts = msgspec.structs.replace(probe, modality="text")
        model = tmp_path / "model"
        build_tiny_checkpoint("distilbert", model)
        question = {"models": (str(model),), "estimators": ("rsa",), "reference": VIT}
        with pytest.raises(InputError, match=f"the reference '{VIT}' cannot be used"):
            plan(catalogue, texts, tmp_path, **question)

    def test_what_no_estimator_reads_is_said_and_not_planned(self, catalogue, probe, tmp_path):
        question = {"models": (VIT,), "estimators": ("knn",), "label_encoders": ("one_hot",)}
        found = plan(catalogue, probe, tmp_path, reference=SWIN, **question)
        assert found.reference is None
        first, second = found.notes
        assert first.startswith("--reference has no effect")
        assert second.startswith("--label-encoder has no effect")

    def test_where_labels_are_texts_every_estimator_reads_their_encoder(
        self, catalogue, probe, tmp_path
    ):
        texts = msgspec.structs.replace(probe, task="text", classes=None)
        question = {"models": (VIT,), "estimators": ("knn",), "label_encoders": ("ngrams",)}
        assert plan(catalogue, texts, tmp_path, **question).notes == ()

    def test_an_unknown_label_encoder_gets_the_list(self, catalogue, probe, tmp_path):
        with pytest.raises(UnknownNameError, match="one_hot"):
            plan(catalogue, probe, tmp_path, models=(VIT,), label_encoders=("one_hott",))


class TestRuntimes:
    @pytest.fixture
    def host(self):
        class Stranger:
            @hookimpl
            def zoo_runtimes(self):
                return [RuntimeSpec(name="swift", target="swift:Runtime", summary="x")]

        host = PluginHost().discover()
        host.register(Stranger(), name="stranger:x")
        return host

    def test_every_other_that_fits_is_a_rival(self, host, probe, tmp_path):
        (model,) = plan(Catalogue(host), probe, tmp_path, models=(VIT,)).models
        assert model.runtime == "torch"
        assert model.rivals[-1] == "swift"

    @pytest.mark.parametrize("how", [{"runtime": "swift"}, {"precision": "bf16"}])
    def test_none_where_a_person_has_named_one_or_other_numbers(self, host, probe, tmp_path, how):
        found = plan(Catalogue(host), probe, tmp_path, how=how, models=(VIT,))
        (model,) = found.models
        assert (model.runtime, model.rivals) == (how.get("runtime", "torch"), ())
        assert found.precision == how.get("precision", "fp32")

    def test_none_where_a_plugin_has_named_one(self, host, probe, tmp_path):
        class Chooser:
            @hookimpl
            def zoo_select_runtime(self, available):
                return available[-1].name

        host.register(Chooser(), name="chooser:x")
        (model,) = plan(Catalogue(host), probe, tmp_path, models=(VIT,)).models
        assert (model.runtime, model.rivals) == ("swift", ())


def test_only_a_budget_makes_rounds(catalogue, probe, tmp_path):
    probe = msgspec.structs.replace(probe, samples=400)
    assert plan(catalogue, probe, tmp_path, models=(VIT,)).rounds == ()
    found = plan(catalogue, probe, tmp_path, models=(VIT,), budget=60.0)
    assert found.rounds == (50, 100, 200, 400)
