from __future__ import annotations

import signal
import textwrap
import time
from importlib import metadata
from pathlib import Path

import pytest

from zoo.settings import Settings
from zoo_cli import diagnosis
from zoo_cli.diagnosis import libraries, providers, storage, surroundings, trials
from zoo_cli.diagnosis.apart import Apart
from zoo_cli.diagnosis.environment import shown_value, without_credentials
from zoo_cli.diagnosis.finding import Diagnosis, attempt

SETTINGS = Settings()


@pytest.fixture
def light(monkeypatch):
    """Without the examinations that load libraries in other processes."""
    monkeypatch.setattr(libraries, "EXAMINATIONS", {})
    monkeypatch.setattr(providers, "EXAMINATIONS", {})
    monkeypatch.setattr(diagnosis, "_runtimes", lambda context: [])


def found(result):
    return {each["check"]: each for each in result.document["checks"]}


def test_this_machine_is_healthy_and_every_part_is_named(zoo):
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 0, result.out
    checks = found(result)
    assert set(checks) >= {*diagnosis._HERE, *libraries.EXAMINATIONS, *providers.EXAMINATIONS}
    assert all(each["status"] in {"ok", "warn"} for each in checks.values())
    assert checks["onnxruntime"]["facts"]["usable"][-1] == "CPUExecutionProvider"
    assert "offline" in checks["hub"]["detail"]
    tried = [each for name, each in checks.items() if name.startswith("runtime ")]
    assert any(each["facts"].get("forward", 0) > 0 for each in tried)


def test_a_table_says_the_same_to_people(zoo, light):
    result = zoo("doctor", "--offline")
    assert result.code == 0
    assert result.out.startswith("CHECK")
    assert "facts" not in result.out.lower()


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_UPLOAD_KEY"])
def test_a_token_is_never_printed(zoo, light, monkeypatch, variable):
    monkeypatch.setenv(variable, "hf_a_secret_value")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy:3128")
    result = zoo("doctor", "--json", "--offline")
    assert "secret" not in result.out + result.err
    assert "proxy:3128" in found(result)["environment"]["detail"]


def test_the_hub_check_says_whether_there_is_a_token(zoo, light, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_a_secret_value")
    assert "with a token" in found(zoo("doctor", "--json", "--offline"))["hub"]["detail"]


def test_what_is_hidden_of_a_value():
    assert shown_value("HF_TOKEN", "x") == "(hidden)"
    assert shown_value("HF_TOKEN_PATH", "/a/token") == "/a/token"
    assert without_credentials("https://me:pw@host/a") == "https://host/a"
    assert without_credentials("https://host/a@b") == "https://host/a@b"


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("OMP_WAIT_POLICY", "ACTIVE", "idle threads"),
        ("NVIDIA_TF32_OVERRIDE", "1", "10 bits"),
        ("CUDA_LAUNCH_BLOCKING", "1", "wait"),
        ("ZOO_OFLINE", "1", "ZOO_OFFLINE is"),
    ],
)
def test_a_variable_that_spoils_a_run_is_named(zoo, light, monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    check = found(zoo("doctor", "--json", "--offline"))["environment"]
    assert check["status"] == "warn"
    assert words in check["detail"]
    assert check["hint"] == f"unset {variable}"


def test_half_an_offline_is_named(zoo, light, monkeypatch, loopback_hub):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "1")
    check = found(zoo("doctor", "--json"))["environment"]
    assert "HF_HUB_OFFLINE" in check["detail"]
    assert check["status"] == "warn"


def test_what_was_set_to_the_default_is_no_problem(zoo, light, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("CUDA_LAUNCH_BLOCKING", "0")
    monkeypatch.setenv("ZOO_GOLDEN", "/nowhere")
    check = found(zoo("doctor", "--json", "--offline"))["environment"]
    assert check["status"] == "ok"
    assert check["facts"]["OMP_WAIT_POLICY"] == "PASSIVE"


def test_a_home_that_is_a_file_fails_with_a_hint(zoo, light, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file"))
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 1
    assert found(result)["store"]["status"] == "fail"
    assert "ZOO_HOME" in result.err


def test_caches_are_weighed(zoo, light, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    (tmp_path / "graphs" / "one").mkdir(parents=True)
    (tmp_path / "graphs" / "one" / "model.onnx").write_bytes(bytes(1000))
    (tmp_path / "features").write_bytes(bytes(500))
    checks = found(zoo("doctor", "--json", "--offline"))
    assert checks["graphs"]["facts"]["bytes"] == 1000
    assert checks["store"]["facts"]["bytes"] == 1500
    assert checks["store"]["facts"]["files"] == 2
    assert checks["hub cache"]["facts"]["free"] > 0


def test_a_cache_that_is_too_large_to_weigh_says_so(tmp_path):
    (tmp_path / "file").write_bytes(b"123")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_bytes(b"123")
    assert storage.folder_size(tmp_path, patience=-1) == (3, 1, False)
    assert storage.folder_size(tmp_path) == (6, 2, True)
    assert storage.folder_size(tmp_path / "nothing") == (0, 0, True)


def test_a_full_disk_is_a_warning_with_the_command(zoo, light, monkeypatch):
    monkeypatch.setattr(storage, "_LOW_SPACE", 1e18)
    checks = found(zoo("doctor", "--json", "--offline"))
    assert checks["store"]["status"] == "warn"
    assert "zoo cache prune" in checks["store"]["hint"]
    assert "hf cache prune" in checks["hub cache"]["hint"]


def test_a_hub_that_answers_is_named_with_its_time(zoo, light, loopback_hub):
    check = found(zoo("doctor", "--json"))["hub"]
    assert check["status"] == "ok"
    assert check["facts"]["reached"]
    assert check["facts"]["seconds"] < 3


def test_a_hub_that_nobody_hears_is_a_warning_and_its_password_hidden(zoo, light, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:secret@127.0.0.1:9")
    result = zoo("doctor", "--json")
    check = found(result)["hub"]
    assert check["status"] == "warn"
    assert "cannot be reached" in check["detail"]
    assert "--offline" in check["hint"]
    assert "secret" not in result.out + result.err


def test_a_missing_registry_is_an_explained_failure(zoo, light, monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "nothing.json"))
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 1
    assert "nothing.json" in found(result)["registry"]["detail"]


def test_a_broken_plugin_is_a_warning_not_the_end(zoo, light, stranger):
    stranger("zoo-broken", "import a_module_that_nobody_has")
    result = zoo("doctor", "--json", "--offline")
    assert result.code == 0
    assert found(result)["plugins"]["status"] == "warn"
    assert found(result)["plugins"]["facts"]["failed"] == ["zoo-broken:zoo_broken"]


def test_more_threads_than_cores_are_a_warning(zoo, light, monkeypatch):
    monkeypatch.setenv("ZOO_JOBS", "500")
    check = found(zoo("doctor", "--json", "--offline"))["machine"]
    assert check["status"] == "warn"
    assert "500 workers" in check["detail"]


def test_what_zoo_requires_is_compared_with_what_is_here():
    numpy = metadata.version("numpy")
    wanted = ["numpy<1", "click>=8", "nobody-has-this>=2", "onnxruntime>=99", 'ray>9; extra=="ray"']
    assert list(surroundings.unmet_requirements(wanted)) == [
        ("numpy<1", numpy),
        ("nobody-has-this>=2", ""),
    ]
    assert not list(surroundings.unmet_requirements(metadata.requires("zoo-reuse")))


def test_a_library_that_only_looks_installed_fails(monkeypatch):
    monkeypatch.setattr(libraries, "version_of", lambda name: "0.28.0")
    monkeypatch.setattr(libraries, "import_error", lambda name: "operator does not exist")
    check = libraries.EXAMINATIONS["torchvision"]("torchvision", SETTINGS)
    assert check.status == "fail"
    assert "operator does not exist" in check.detail
    assert "pip uninstall torchvision" in check.hint


@pytest.mark.parametrize("name", ["torch", "transformers", "tokenizers", "pillow"])
def test_a_library_that_every_run_needs_fails_with_the_command(monkeypatch, name):
    monkeypatch.setattr(libraries, "import_error", lambda module: f"import {module} fails: it is")
    check = libraries.EXAMINATIONS[name](name, SETTINGS)
    assert check.status == "fail"
    assert check.hint == f"pip install --force-reinstall {name}"


def test_an_exporter_that_is_absent_is_no_problem_and_says_how_to_add_it(monkeypatch):
    monkeypatch.setattr(libraries, "version_of", lambda name: "")
    check = libraries.EXAMINATIONS["onnx export"]("onnx export", SETTINGS)
    assert check.status == "ok"
    assert "pip install 'zoo-reuse[onnx]'" in check.detail


def test_an_exporter_that_is_broken_is_a_warning(monkeypatch):
    monkeypatch.setattr(libraries, "import_error", lambda module: f"import {module} fails: it is")
    monkeypatch.setattr(libraries, "version_of", lambda name: "1.0")
    check = libraries.EXAMINATIONS["onnx export"]("onnx export", SETTINGS)
    assert check.status == "warn"
    assert "nothing can be exported" in check.detail


def test_a_gpu_that_was_asked_for_and_is_not_there_fails():
    if libraries.has_nvidia():
        pytest.skip("this machine has an NVIDIA device")
    check = libraries.EXAMINATIONS["cuda"]("cuda", Settings(device="cuda"))
    assert check.status == "fail"
    assert "there is no CUDA device" in check.detail


def test_a_gpu_that_torch_cannot_use_is_named(monkeypatch):
    import torch

    if torch.cuda.is_available():
        pytest.skip("torch can use the GPU of this machine")
    monkeypatch.setattr(libraries, "has_nvidia", lambda: True)
    check = libraries.EXAMINATIONS["cuda"]("cuda", SETTINGS)
    assert check.status == "warn"
    assert "torch" in check.hint


def test_two_runtimes_in_one_folder_are_found(monkeypatch):
    monkeypatch.setattr(providers, "version_of", lambda name: "1.31.1")
    check = providers.EXAMINATIONS["onnxruntime"]("onnxruntime", SETTINGS)
    assert "both installed" in check.detail
    assert check.hint.startswith("pip uninstall -y onnxruntime onnxruntime-gpu && pip install")


def test_a_provider_is_believed_when_it_has_computed_something(capfd):
    import onnxruntime

    assert providers.why_unusable(onnxruntime, "CPUExecutionProvider") == ""
    assert providers.why_unusable(onnxruntime, "NobodysExecutionProvider")


def test_a_provider_that_was_only_compiled_in_is_unusable(capfd):
    import onnxruntime

    if libraries.has_nvidia() or "CUDAExecutionProvider" not in (
        onnxruntime.get_available_providers()
    ):
        pytest.skip("needs an ONNX Runtime with CUDA on a machine without")
    assert providers.why_unusable(onnxruntime, "CUDAExecutionProvider")


def test_a_missing_cuda_library_is_named_by_the_loader(monkeypatch, capfd):
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    if not providers.missing_library(folder):
        pytest.skip("needs an ONNX Runtime with CUDA on a machine without")
    monkeypatch.setattr(providers, "has_nvidia", lambda: True)
    libraries_ = providers.EXAMINATIONS["cuda libraries"]("cuda libraries", SETTINGS)
    assert libraries_.status == "warn"
    assert "lib" in libraries_.detail
    assert libraries_.hint == "pip install 'onnxruntime-gpu[cuda,cudnn]'"
    usable = providers.EXAMINATIONS["onnxruntime"]("onnxruntime", SETTINGS)
    assert usable.status == "warn"
    assert usable.facts["usable"] == ["CPUExecutionProvider"]
    assert "CUDAExecutionProvider" in usable.facts["unusable"]


def test_an_examination_that_breaks_is_a_finding(zoo, light, monkeypatch):
    def explode(name, context):
        raise RuntimeError("the doctor is ill")

    monkeypatch.setitem(diagnosis._HERE, "python", explode)
    result = zoo("doctor", "--offline")
    assert result.code == 1
    assert "the doctor is ill" in result.out


def test_an_examination_that_leaves_is_a_finding():
    assert attempt("it", lambda: exit("goodbye")) == Diagnosis("it", "fail", "SystemExit: goodbye")


@pytest.fixture
def ward(tmp_path, monkeypatch):
    """Examine in a process of a module whose checks do what their names say."""
    (tmp_path / "patient_of_a_test.py").write_text(
        textwrap.dedent("""
            import os, signal, sys, time
            import msgspec
            from zoo_cli.diagnosis.finding import Diagnosis

            for check in msgspec.json.decode(sys.stdin.buffer.read())["checks"]:
                if check == "dies":
                    print("the last words", file=sys.stderr, flush=True)
                    os.kill(os.getpid(), signal.SIGSEGV)
                if check == "hangs":
                    time.sleep(60)
                if check == "leaves":
                    sys.exit(7)
                line = msgspec.json.encode(Diagnosis(check, "ok", str(os.getpid())))
                sys.stdout.buffer.write(line + b"\\n")
                sys.stdout.buffer.flush()
        """),
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def examine(*checks, limit=30.0):
        with Apart(SETTINGS, {}, limit=limit, module="patient_of_a_test") as apart:
            return apart.examine(checks).result()

    return examine


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX")
def test_what_dies_natively_is_a_finding_and_the_others_go_on(ward):
    before, died, between, left, after = ward("before", "dies", "between", "leaves", "after")
    assert [each.status for each in (before, between, after)] == ["ok", "ok", "ok"]
    assert len({before.detail, between.detail, after.detail}) == 3
    assert died.status == left.status == "fail"
    assert "SIGSEGV" in died.detail
    assert "the last words" in died.detail
    assert "ended with 7" in left.detail


def test_what_hangs_is_ended_and_the_others_go_on(ward):
    hung, after = ward("hangs", "after", limit=1.0)
    assert hung.status == "fail"
    assert "hangs" in hung.detail
    assert "1 s" in hung.detail
    assert after.status == "ok"


def test_leaving_does_not_wait_for_what_hangs(tmp_path, monkeypatch):
    (tmp_path / "patient_that_sleeps.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    apart = Apart(SETTINGS, {}, module="patient_that_sleeps")
    future = apart.examine(["it"])
    while not apart._processes:
        time.sleep(0.01)
    apart.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert "killed by" in future.result(timeout=30)[0].detail


_RUNTIME = """
    import time
    from zoo.hookspecs import hookimpl
    from zoo.types import EncodedInput, RuntimeSpec, Tap

    @hookimpl
    def zoo_runtimes():
        specs = (("good", "Runtime"), ("wrong", "Wrong"), ("gone", "Nothing"))
        made = [
            RuntimeSpec(name=name, target=f"zoo_odd:{target}", summary="odd")
            for name, target in specs
        ]
        other = RuntimeSpec(name="other", target="zoo_odd:Runtime", summary="", libraries=("gguf",))
        return [*made, other]

    class Backbone:
        taps = (Tap(name="logits", dimension=3),)
        default_tap = "logits"
        budget = 1
        device = "abacus:0"

        def encode(self, inputs):
            return [EncodedInput(cost=1, data=each) for each in inputs]

        def extract(self, batch, taps):
            import numpy as np

            return {"logits": np.zeros((len(batch), self.width), dtype=np.float32)}

        def close(self):
            pass

    class Runtime:
        width = 3

        def identity(self):
            return "odd=1"

        def input_key(self, checkpoint, modality):
            return ""

        def prepare(self, checkpoint, inputs):
            return inputs

        def open(self, checkpoint, options):
            backbone = Backbone()
            backbone.width = self.width
            return backbone

    class Wrong(Runtime):
        width = 4
"""


def test_a_strangers_runtimes_are_tried_through_the_contract(zoo, monkeypatch, stranger):
    stranger("zoo-odd", _RUNTIME)
    monkeypatch.setenv("ZOO_DISABLE_PLUGINS", "runtimes")
    monkeypatch.setattr(libraries, "EXAMINATIONS", {})
    monkeypatch.setattr(providers, "EXAMINATIONS", {})
    result = zoo("doctor", "--json", "--offline")
    checks = found(result)
    assert checks["runtime good"]["status"] == "ok"
    assert checks["runtime good"]["facts"]["device"] == "abacus:0"
    assert "float32 (1, 4), not float32 (1, 3)" in checks["runtime wrong"]["detail"]
    assert checks["runtime wrong"]["status"] == "warn", "another runtime works"
    assert "cannot be loaded" in checks["runtime gone"]["detail"]
    assert "gguf" in checks["runtime other"]["detail"]
    assert result.code == 0
    monkeypatch.setenv("ZOO_RUNTIME", "wrong")
    assert found(zoo("doctor", "--json", "--offline"))["runtime wrong"]["status"] == "fail"


def test_what_could_not_speak_for_itself_gets_a_hint():
    hints = {
        "runtime odd": "zoo recommend --demo --runtime odd",
        "torch": "pip install --force-reinstall torch",
        "onnx export": "zoo-reuse[onnx]",
    }
    for check, hint in hints.items():
        assert hint in diagnosis._hinted(Diagnosis(check, "fail", "it died")).hint
        assert diagnosis._hinted(Diagnosis(check, "ok", "it works")).hint == ""
    assert diagnosis._hinted(Diagnosis("torch", "fail", "", "its own")).hint == "its own"


def test_a_runtime_that_fails_is_a_failure_when_no_other_works():
    failed = Diagnosis("runtime a", "fail", "it is broken")
    untried = Diagnosis("runtime b", "ok", "not tried")
    works = Diagnosis("runtime c", "ok", "works", facts={"forward": 0.1})
    assert trials.settle([failed, untried], "auto")[0].status == "fail"
    assert trials.settle([failed, works], "auto")[0].status == "warn"
    assert trials.settle([failed, works], "a")[0].status == "fail"
    assert trials.settle([failed, works], "auto")[1] == works
