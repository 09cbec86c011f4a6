"""Workloads of other identity providers: their own token is exchanged for one of Google's."""

from pathlib import Path
from typing import Any

import pytest

from enfilade.providers.errors import (
    CredentialMissing,
    CredentialsRefused,
    ProviderFault,
)
from tests.support.google_tokens import EMAIL, external_account, form, token, vertex
from tests.support.outbound import Outbound
from tests.support.token_needs import shown
from tests.support.upstream import open_upstream, reply


@pytest.mark.parametrize("form_of_file", ["text", "json"])
async def test_a_workloads_token_is_exchanged(outbound: Outbound, tmp_path: Path, form_of_file: str) -> None:
    path = tmp_path / "token"
    source: dict[str, Any] = {"file": str(path)}
    if form_of_file == "json":
        source["format"] = {"type": "json", "subject_token_field_name": "jwt"}
    async with open_upstream(token("t1", 600), token("t2")) as upstream:
        authority = vertex(
            outbound, external_account(upstream, source, quota_project_id="billed-1"), directory=tmp_path
        )
        path.write_text("subject-1\n" if form_of_file == "text" else '{"jwt": "subject-1"}')
        assert await shown(authority) == {"authorization": "Bearer t1", "x-goog-user-project": "billed-1"}
        seen = await upstream.was_asked()
        assert seen.path == "/sts"
        assert form(seen) == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "subject_token": "subject-1",
        }
        path.write_text("subject-2" if form_of_file == "text" else '{"jwt": "subject-2"}')
        outbound.pass_time(595)
        assert (await shown(authority))["authorization"] == "Bearer t2"
        assert form(upstream.seen[1])["subject_token"] == "subject-2"


async def test_an_exchanged_token_may_stand_for_a_service_account(outbound: Outbound, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("subject")
    acted = reply({"accessToken": "ya29.acted", "expireTime": "2026-11-02T12:30:00Z"})
    async with open_upstream(token("federated"), acted, token("federated"), acted) as upstream:
        url = f"http://127.0.0.1:{upstream.port}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
        document = external_account(
            upstream,
            {"file": str(tmp_path / "token")},
            service_account_impersonation_url=url,
            service_account_impersonation={"token_lifetime_seconds": 1800},
        )
        authority = vertex(outbound, document, directory=tmp_path)
        assert await shown(authority) == {"authorization": "Bearer ya29.acted"}
        seen = upstream.seen[1]
        assert seen.path == f"/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
        assert seen.header("authorization") == "Bearer federated"
        assert seen.json == {"scope": ["https://www.googleapis.com/auth/cloud-platform"], "lifetime": "1800s"}
        outbound.pass_time(1400)
        await shown(authority)
        assert len(upstream.seen) == 2
        outbound.pass_time(395)
        await shown(authority)
        assert len(upstream.seen) == 4


async def test_who_may_not_act_as_the_account_is_told_so(outbound: Outbound, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("subject")
    denied = reply({"error": {"code": 403, "message": f"denied on {EMAIL}", "status": "PERMISSION_DENIED"}}, 403)
    async with open_upstream(token("federated"), denied) as upstream:
        url = f"http://127.0.0.1:{upstream.port}/act"
        source = {"file": str(tmp_path / "token")}
        document = external_account(upstream, source, service_account_impersonation_url=url)
        with pytest.raises(CredentialsRefused, match=r"PERMISSION_DENIED.*may not act") as failure:
            await shown(vertex(outbound, document, directory=tmp_path))
    assert EMAIL not in failure.value.message


async def test_a_workloads_token_may_come_from_an_address(outbound: Outbound) -> None:
    async with open_upstream(reply({"t": "subject"}), token("t1")) as upstream:
        source = {
            "url": f"http://127.0.0.1:{upstream.port}/identity?resource=x",
            "headers": {"Metadata": "true"},
            "format": {"type": "json", "subject_token_field_name": "t"},
        }
        assert await shown(vertex(outbound, external_account(upstream, source))) == {"authorization": "Bearer t1"}
        first = upstream.seen[0]
        assert (first.method, first.path, first.header("metadata")) == ("GET", "/identity?resource=x", "true")
        assert form(upstream.seen[1])["subject_token"] == "subject"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"executable": {"command": "/bin/true"}}, "file"),
        ({"environment_id": "aws1", "region_url": "http://169.254.169.254/"}, "file"),
        ({"url": "https://tokens.example/x"}, "allow_private_network"),
        ({"url": "http://169.254.169.254/x"}, "allow_private_network"),
        ({"file": "/etc/hostname"}, "ENFILADE_SECRET_DIRS"),
        ({"file": "absent"}, "ENFILADE_SECRET_DIRS"),
    ],
)
async def test_a_source_that_may_not_be_used_is_told(
    outbound: Outbound, source: dict[str, Any], words: str, tmp_path: Path
) -> None:
    async with open_upstream(token()) as upstream:
        document = external_account(upstream, source, token_url="https://sts.googleapis.com/v1/token")
        with pytest.raises(CredentialMissing, match=words) as failure:
            await shown(vertex(outbound, document, inside=False, directory=tmp_path))
        assert not upstream.connections
    assert "/etc" not in failure.value.message


@pytest.mark.parametrize("header", [{"X-A": "1\r\nHost: y"}, {"X A": "1"}, {"Host": "metadata"}, {"X": "é"}])
async def test_headers_of_a_document_cannot_write_a_request_of_their_own(
    outbound: Outbound, header: dict[str, str]
) -> None:
    async with open_upstream(token()) as upstream:
        source = {"url": f"http://127.0.0.1:{upstream.port}/x", "headers": header}
        with pytest.raises(CredentialMissing, match="header"):
            await shown(vertex(outbound, external_account(upstream, source)))
        assert not upstream.seen


@pytest.mark.parametrize("content", ["", "[]", '{"other": "x"}', '{"t": 7}', "{"])
async def test_a_source_without_a_token_is_a_fault(outbound: Outbound, content: str) -> None:
    async with open_upstream(reply(content.encode())) as upstream:
        source = {
            "url": f"http://127.0.0.1:{upstream.port}/x",
            "format": {"type": "json", "subject_token_field_name": "t"},
        }
        with pytest.raises(ProviderFault):
            await shown(vertex(outbound, external_account(upstream, source)))
        assert len(upstream.seen) == 1
