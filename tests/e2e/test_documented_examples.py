"""The SDKs' examples in the documentation, run as they stand but for address and key, against `enfilade up` with its demo."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meta.source import ROOT
from tests.support.process import clean_environment, enfilade_up

pytestmark = pytest.mark.e2e

FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
DOCUMENTED = "http://127.0.0.1:8080"
HOW_TO = "docs/how-to/use-any-sdk.md"
SURROUNDINGS = "by the environment"
SAID: dict[str, list[str | re.Pattern[str]]] = {
    "README.md": ["Good morning"] * 3,
    "docs/tutorial/first-hour.md": [re.compile("(one row of .*){4}"), "Good morning", "Good morning"],
    HOW_TO: ["Good morning", "Good evening", *["Good morning"] * 6, "seed"],
    SURROUNDINGS: ["Good morning"] * 3,
}
"""What the examples of each page print."""
BY_ENVIRONMENT = """
from anthropic import Anthropic
from google import genai
from openai import OpenAI

said = [{"role": "user", "content": "Good morning"}]
print(OpenAI().chat.completions.create(model="claude-haiku", messages=said).choices[0].message.content)
print(Anthropic().messages.create(model="gemini-flash", max_tokens=50, messages=said).content[0].text)
client = genai.Client()
print(client.models.generate_content(model="gpt-4o-mini", contents="Good morning").text)
"""


def test_the_documented_examples_work_as_they_stand(tmp_path: Path) -> None:
    # One program for all, since each SDK takes seconds to load.
    program = "".join(f"print('# {page}')\n{examples(page)}\n" for page in SAID)
    with enfilade_up(tmp_path) as demo:
        key = demo.ready["app_key"]
        named = {
            "OPENAI_BASE_URL": f"{demo.url}/v1",
            "ANTHROPIC_BASE_URL": demo.url,
            "GOOGLE_GEMINI_BASE_URL": demo.url,
            **dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), key),
        }
        assert all(f"`{name}`" in (ROOT / HOW_TO).read_text() for name in named)
        printed = run(program.replace(DOCUMENTED, demo.url).replace("enf_…", key), tmp_path, named)
    pages = {head: lines for head, *lines in (part.splitlines() for part in printed.split("# ")[1:])}
    assert list(pages) == list(SAID)
    for page, lines in SAID.items():
        assert len(pages[page]) == len(lines), page
        for line, wanted in zip(pages[page], lines, strict=True):
            assert wanted.match(line) if isinstance(wanted, re.Pattern) else line == wanted, page


def examples(page: str) -> str:
    """A page's Python, in one program."""
    if page == SURROUNDINGS:
        return BY_ENVIRONMENT
    found = FENCE.findall((ROOT / page).read_text())
    assert found
    return "\n".join(found)


def run(program: str, home: Path, environment: dict[str, str]) -> str:
    """What a program prints."""
    assert "…" not in program
    # The SDKs warn of sockets that the examples, in their shortness, leave open.
    surroundings = clean_environment(home, environment) | {"PYTHONWARNINGS": "default", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=home,
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
