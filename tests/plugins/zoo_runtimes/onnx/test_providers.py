"""Which providers work here, asked of the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zoo.errors import InputError
from zoo_runtimes.onnx import providers
from zoo_runtimes.onnx.providers import CPU, CUDA, choose, cuda_memory, usable_providers

no_gpu = pytest.mark.skipif(bool(cuda_memory()), reason="this machine has a CUDA device")
gpu = pytest.mark.skipif(not cuda_memory(), reason="this machine has no CUDA device")


def test_the_cpu_always_works():
    assert choose("cpu").providers == (CPU,)
    assert CPU in usable_providers()


@no_gpu
def test_what_the_package_was_built_with_is_not_taken_for_what_works():
    assert CUDA not in usable_providers()
    assert "TensorrtExecutionProvider" not in usable_providers()


@no_gpu
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there_is_bad_input(device):
    with pytest.raises(
        InputError, match=rf"no device '{device}' on this machine \(0 CUDA"
    ) as error:
        choose(device)
    assert error.value.hint == "Use --device cpu."


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "", "auto"])
def test_what_is_no_device_is_bad_input(device):
    with pytest.raises(InputError, match=f"{device!r} is not a device"):
        choose(device)


@pytest.mark.parametrize("name", ["CudaExecutionProvider", "cuda", "", "QNNExecutionProvider"])
def test_a_wrong_provider_name_is_bad_input_with_the_list(name):
    with pytest.raises(InputError, match=f"no provider {name!r} that works on this") as error:
        choose("cpu", (name,))
    assert CPU in error.value.hint


@no_gpu
def test_a_provider_that_only_the_package_knows_is_refused():
    with pytest.raises(InputError, match="no provider 'CUDAExecutionProvider'"):
        choose("cpu", (CUDA,))


def test_a_package_without_cuda_says_which_one_has_it(monkeypatch):
    monkeypatch.setattr(providers, "cuda_memory", lambda: (80_000_000_000,))
    monkeypatch.setattr(providers, "usable_providers", lambda: (CPU,))
    with pytest.raises(InputError, match="built without CUDA") as error:
        choose("cuda")
    assert "onnxruntime-gpu" in error.value.hint


def test_a_damaged_package_is_explained(monkeypatch):
    providers.load_onnxruntime.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match="ONNX Runtime cannot be imported here") as error:
        usable_providers()
    assert "pip" in error.value.hint


def test_asking_writes_nothing_and_loads_no_framework():
    code = (
        "import sys; from zoo_runtimes.onnx.providers import usable_providers, choose;"
        "usable_providers(); choose('cpu');"
        "sys.exit(str({'torch', 'transformers'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr.strip()) == ("", "")


@gpu
def test_a_cuda_device_is_chosen_by_its_number():
    assert choose("cuda").providers == (CUDA,)
    assert choose("cuda:0").options == [{"device_id": 0}]
    with pytest.raises(InputError, match="no device 'cuda:99'"):
        choose("cuda:99")
