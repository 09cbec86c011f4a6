"""The configuration with which everybody begins."""

import yaml

from enfilade.configuration.document import Document
from tests.meta.source import ROOT

DEMO = ROOT / "examples" / "demo.yaml"


def demo() -> Document:
    return Document.model_validate(yaml.safe_load(DEMO.read_text()))


def test_the_demo_has_what_the_tutorial_says() -> None:
    tenants = demo().tenants
    assert len(tenants) == 2
    assert sum(len(tenant.departments) for tenant in tenants) == 3
    assert sum(len(tenant.applications) for tenant in tenants) == 4
    assert all(tenant.limits and tenant.budgets for tenant in tenants)


def test_every_model_of_the_demo_has_a_price() -> None:
    assert all(model.price is not None for model in demo().models)


def test_the_provider_that_is_commented_out_would_be_accepted() -> None:
    lines = DEMO.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if "- name: openai-main" in line)
    block = []
    for line in lines[start:]:
        if not line.lstrip().startswith("#"):
            break
        block.append(line.replace("  # ", "", 1))
    [provider] = yaml.safe_load("\n".join(block))
    accepted = Document.model_validate({"version": 1, "providers": [provider]}).providers[0]
    assert accepted.kind == "openai"
