"""The members of each family, found as the program finds them, so that a new one is tried at once."""

import pytest

from enfilade.core.families import members
from enfilade.dialects.registry import load_dialects
from tests.contract import samples
from tests.contract.shapes import DialectSample

SAMPLES: dict[str, DialectSample] = members(samples, "SAMPLE")
STREAMS = [(name, stream) for name, sample in SAMPLES.items() for stream in sample.streams]
REFUSED = [(name, case) for name, sample in SAMPLES.items() for case in sample.refused]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each member, stream or refused request that its parameters ask for."""
    names = set(metafunc.fixturenames)
    if {"sample", "stream"} <= names:
        values = [pytest.param(SAMPLES[name], stream, id=f"{name}: {stream.name}") for name, stream in STREAMS]
        metafunc.parametrize(("sample", "stream"), values)
    elif {"sample", "case"} <= names:
        cases = [pytest.param(SAMPLES[name], case, id=f"{name}: {case}") for name, case in REFUSED]
        metafunc.parametrize(("sample", "case"), cases)
    elif "sample" in names:
        # A dialect without a sample has a failing test for each part of the contract. Those that only providers speak
        # have no place in this one.
        dialects = load_dialects()
        found = [name for name in dialects.names() if dialects.get(name).path]
        metafunc.parametrize("sample", [pytest.param(SAMPLES.get(name), id=name) for name in found])
