"""Where the master key is, and who Enfilade is to AWS, as settings and environment say."""

import base64
from pathlib import Path

import pytest

from enfilade.bootstrap.aws import AwsSigners
from enfilade.bootstrap.sealing import master_key_choice
from enfilade.core.clock import ManualClock
from enfilade.core.deadlines import DeadlineSweeper
from enfilade.core.errors import EnfiladeError
from enfilade.providers.transport.client import HttpClient
from enfilade.sealing.errors import MasterKeyFault
from enfilade.sealing.keepers import declared_file, declared_service, declared_text
from enfilade.settings import Settings

TEXT = base64.b64encode(bytes(32)).decode()
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
URL = "https://kms.eu-central-1.amazonaws.com/"


def test_the_embedded_installation_has_its_key_beside_its_data_and_others_have_none() -> None:
    assert master_key_choice(Settings(data=Path("here"))).current == declared_file(Path("here/master.key"))
    assert master_key_choice(Settings(database_url="postgresql://db/enfilade")).current is None


def test_settings_say_where_the_key_and_the_one_before_are() -> None:
    choice = master_key_choice(
        Settings(
            master_key_service="vault-transit:transit/enfilade",
            previous_master_key=TEXT,
            tenant_master_keys="vault-transit:transit/{tenant}-*",
            tenant_master_key_check_seconds=5,
        )
    )
    assert choice.current == declared_service("vault-transit:transit/enfilade")
    assert choice.previous == declared_text(TEXT)
    assert choice.check_every_s == 5.0
    assert choice.own_services == ("vault-transit:transit/{tenant}-*",)
    assert TEXT not in repr(choice)


def test_two_keys_at_once_are_refused() -> None:
    with pytest.raises(MasterKeyFault, match="ENFILADE_MASTER_KEY and ENFILADE_MASTER_KEY_FILE are set"):
        master_key_choice(Settings(master_key=TEXT, master_key_file=Path("x")))


async def test_requests_to_aws_are_signed_with_the_keys_of_the_environment() -> None:
    signers = _signers(KEYS | {"AWS_SESSION_TOKEN": "a-token"})
    assert signers.has_credentials
    headers = dict(await signers("kms", "eu-central-1").headers("POST", URL, b"{}"))
    assert headers["x-amz-date"] == "20261102T120000Z"
    assert headers["x-amz-security-token"] == "a-token"
    assert headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261102/eu-central-1/kms/aws4_request, SignedHeaders=host;"
    )


@pytest.mark.parametrize(
    "environment",
    [{"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"}, {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/keys"}],
    ids=["half a key", "an endpoint that is none of AWS's"],
)
async def test_half_of_what_is_needed_is_said_to_be_missing(environment: dict[str, str]) -> None:
    with pytest.raises(EnfiladeError):
        await _signers(environment)("kms", "eu-central-1").headers("POST", URL, b"{}")


def test_without_anything_there_are_no_credentials() -> None:
    assert not _signers({}).has_credentials


def _signers(environment: dict[str, str]) -> AwsSigners:
    clock = ManualClock()
    return AwsSigners(environment, HttpClient(clock, DeadlineSweeper(clock)), clock)
