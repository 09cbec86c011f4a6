"""The worked example of the explanation, decided as its table says."""

import re
from typing import Any

import pytest
import yaml

from enfilade.access.matrix import rows_as_cedar
from enfilade.access.types import Caller, Resource, ResourceKind
from enfilade.configuration.access import content_of
from enfilade.configuration.access_parts import Access
from tests.meta.source import ROOT
from tests.unit.access.policies import ask, guard

PAGE = (ROOT / "docs/explanation/access.md").read_text()
YAML, CEDAR = (re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0] for kind in ("yaml", "cedar"))
CASES = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.splitlines()
    if re.match(r"\| \w+ \| (gpt|claude)", line)
]
CONTENT = content_of(Access.model_validate(yaml.safe_load(YAML)["tenants"][0]["access"]))


@pytest.mark.parametrize(("who", "model", "use_case", "data", "approval", "answer"), CASES)
def test_the_worked_example_is_decided_as_it_says(
    who: str, model: str, use_case: str, data: str, approval: str, answer: str
) -> None:
    approved: dict[str, Any] = {"approvals": frozenset({"a"}), "approved": True} if approval == "yes" else {}
    resource = Resource(ResourceKind.DEPLOYMENT, f"p/{model}", model, "p", "public_cloud")
    caller = Caller(user="somebody@acme.example", department=who)
    decision = ask(guard(CONTENT), caller, resource, use_case=use_case, data_class=data, **approved)
    assert answer == (
        f"allowed by {', '.join(decision.policies)}"
        if decision.allowed
        else "denied" + (", approval is missing" if decision.missing else "")
    )


def test_the_worked_example_compiles_to_what_is_shown() -> None:
    assert len(CASES) == 8
    assert CEDAR in rows_as_cedar(CONTENT.matrix)
