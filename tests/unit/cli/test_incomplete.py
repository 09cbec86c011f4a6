"""An answer that lacks tenants says so at the command line, too."""

import httpx2
import pytest

from enfilade.cli.remote import Remote


def answer(request: httpx2.Request) -> httpx2.Response:
    if request.url.path.endswith("/exports/spend"):
        return httpx2.Response(200, headers={"x-enfilade-incomplete": "eu,home/enf_1"}, content=b"header\n")
    following = None if "cursor" in request.url.params else "further"
    missing = {} if following else {"incomplete": ["eu"]}
    return httpx2.Response(200, json={"items": [{"id": "1"}], "next": following, **missing})


@pytest.fixture
def server() -> Remote:
    return Remote(httpx2.Client(base_url="http://enfilade.test", transport=httpx2.MockTransport(answer)))


def test_the_cells_that_a_list_lacks_are_told_once_on_the_error_stream(
    server: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(server.pages("/calls")) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "These cells could not be asked, so that their tenants are missing: eu\n")


def test_the_cells_that_a_file_lacks_are_told_after_it(server: Remote, capsys: pytest.CaptureFixture[str]) -> None:
    with server.stream("/exports/spend") as chunks:
        assert b"".join(chunks) == b"header\n"
    assert "missing: eu, home/enf_1" in capsys.readouterr().err
