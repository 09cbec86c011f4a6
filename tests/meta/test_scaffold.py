"""`./dev new` writes what works."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.meta.source import ROOT

OFFERED = {"adapter": "ADAPTER", "strategy": "STRATEGY", "route": "ROUTER"}


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scaffold() -> Any:
    return load("scaffold", ROOT / "docs" / "scaffold.py")


@pytest.mark.parametrize("kind", OFFERED)
def test_a_new_member_is_a_member(scaffold: Any, kind: str, tmp_path: Path) -> None:
    place, text = scaffold.render(kind, "brand_new")
    assert not place.exists()
    assert place.parent.is_dir()
    (tmp_path / "brand_new.py").write_text(text)
    assert hasattr(load(f"new_{kind}", tmp_path / "brand_new.py"), OFFERED[kind])


def test_a_migration_takes_the_next_number(scaffold: Any) -> None:
    place, _ = scaffold.render("migration", "more")
    numbers = sorted(int(path.name[:4]) for path in place.parent.glob("*.sql"))
    assert int(place.name[:4]) == numbers[-1] + 1
