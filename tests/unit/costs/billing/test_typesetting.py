"""PDFs: typeset by a process of its own, from data that is never markup."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from enfilade.costs.billing.drafting import Credited, Stamp, draft_credit_note
from enfilade.costs.billing.paper import Correction, Paper
from enfilade.costs.billing.typeset import typeset
from enfilade.costs.billing.typesetting import MAX_LINES, Typesetter, request_of
from enfilade.costs.errors import TypesettingFailed
from tests.unit.costs.billing.papers import ISSUER, NOW, invoice

HOSTILE = '#panic("x") $a$ *b* _c_ [ ] { } \\ // /* <l> @r `x` "q" = h \n - i\u202e\x07'
PNG = b"\x89PNG"


def credit_note() -> Paper:
    paper = invoice("EUR")
    correction = Correction("an-id", "INV-2026-000042", "2026-12-01", "lines", HOSTILE)
    credited = Credited(paper.lines[:1], 3_000_000, 1, 1, credits=paper.credits)
    return draft_credit_note(paper, credited, correction, Stamp(ISSUER, NOW, "another", "CN-2026-000001"))


async def test_the_same_document_makes_the_same_bytes() -> None:
    made = await asyncio.gather(*(Typesetter().pdf(invoice()) for _ in range(2)))
    assert made[0] == made[1]
    assert made[0].startswith(b"%PDF-")
    assert b"INV-2026-000042" in made[0]
    assert b"D:20261201" in made[0]


@pytest.mark.parametrize(
    ("paper", "pages"),
    [
        (invoice(), 1),
        (invoice("JPY", (None, "x" * 200), taxes=()), 1),
        (invoice(name=HOSTILE, address=(HOSTILE,) * 3, reference=HOSTILE, note=HOSTILE, models=(HOSTILE,)), 1),
        (invoice(name="株式会社 العربية Ωμέγα Žižek", models=tuple(f"model-{n}" for n in range(40))), 5),
        (credit_note(), 1),
    ],
    ids=["plain", "no model and a long one", "hostile", "long", "credit note"],
)
def test_every_document_can_be_typeset(paper: Paper, pages: int) -> None:
    images = typeset(request_of(paper).replace(b'{"paper"', b'{"own_fonts_only":true,"paper"'), "png")
    assert [image[:4] for image in images] == [PNG] * pages


async def test_a_document_that_cannot_be_typeset_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enfilade.costs.billing.typesetting.request_of", lambda _: b"{}")
    with pytest.raises(TypesettingFailed, match="KeyError: 'paper'"):
        await Typesetter().pdf(invoice())
    with pytest.raises(TypesettingFailed, match=r"No module named enfilade\.nothing"):
        await Typesetter("enfilade.nothing").pdf(invoice())


async def test_a_typesetter_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "hanging.py").write_text("import sys, time\nsys.stdin.read()\ntime.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TypesettingFailed, match=r"not typeset within 0\.2 s"):
        await Typesetter("hanging", 0.2).pdf(invoice())


async def test_a_document_too_long_for_a_pdf_is_told() -> None:
    paper = invoice(models=tuple(map(str, range(MAX_LINES // 4 + 1))))
    with pytest.raises(TypesettingFailed, match="Take the CSV"):
        await Typesetter().pdf(paper)


def test_the_serving_process_does_not_load_the_typesetter() -> None:
    # A process of its own, because this one has loaded it for these tests.
    script = "import sys, enfilade.bootstrap.compose; sys.exit('typst' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
