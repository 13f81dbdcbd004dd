from __future__ import annotations

import pytest

from zoo.testing.kit import Trial, kit_of, run_check


@pytest.fixture
def checks_that_fail(request, monkeypatch):
    """Try what a spec would give as its object; the names of the checks that fail."""

    def ask(noun, spec_kind, method, **promises):
        monkeypatch.setattr(request.module, "planted", lambda: method, raising=False)
        target = f"{request.module.__name__}:planted"
        spec = spec_kind(name="own", target=target, summary="", **promises)
        trial = Trial(noun=noun, spec=spec)
        checks = [each for each in kit_of(noun).checks if each.applies(trial)]
        return [each.name for each in checks if run_check(each, trial).broken]

    return ask
