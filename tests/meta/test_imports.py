"""What the server loads when it starts."""

import subprocess
import sys

VENDORS = ("anthropic", "boto3", "botocore", "google", "langchain_core", "openai", "pydantic_ai")
COUNTING = f"""
import sys
import enfilade.cli.root, enfilade.bootstrap.process, enfilade.bootstrap.up
from enfilade.dialects.registry import load_dialects
from enfilade.providers.registry import Adapters
assert load_dialects().names() and Adapters().kinds()
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & set({VENDORS!r})))
"""


def test_the_server_loads_no_vendors_sdk() -> None:
    found = subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.split() == []
