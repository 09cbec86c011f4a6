"""Configuration files: several as one, with the place of everything in them."""

from datetime import date
from pathlib import Path

import pytest

from enfilade.cli.source import Source, read_sources
from enfilade.configuration.errors import UnreadableSource
from enfilade.sealing.vault.errors import VaultMissing

PLATFORM = """\
version: 1
providers:
  - {name: sim, kind: simulated}
tenants:
  - name: acme
    region: eu
    users:
      - email: ana@acme.example
        roles: [developer]
"""
MORE = """\
tenants:
  - name: acme
    users:
      - email: ben@acme.example
    departments: [{name: sales}]
  - name: globex
"""


def _write(folder: Path, **files: str) -> list[Path]:
    paths = []
    for name, text in files.items():
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def test_several_files_are_one_document(tmp_path: Path) -> None:
    files = _write(tmp_path, a=PLATFORM, b=MORE)
    for given in (files, [tmp_path]):
        content = read_sources(given).content
        assert [tenant["name"] for tenant in content["tenants"]] == ["acme", "globex"]
        acme = content["tenants"][0]
        assert [user["email"] for user in acme["users"]] == ["ana@acme.example", "ben@acme.example"]
        assert (acme["region"], acme["departments"]) == ("eu", [{"name": "sales"}])


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("version", "a.yaml:1"),
        ("providers[0].kind", "a.yaml:3"),
        ("tenants[0].region", "a.yaml:6"),
        ("tenants[0].users[0].roles[0]", "a.yaml:9"),
        ("tenants[0].users[1].email", "b.yaml:4"),
        ("tenants[0].departments[0].name", "b.yaml:5"),
        ("tenants[1].nothing.at.all", "b.yaml:6"),
        ("tenants[9]", "a.yaml:5"),
        ("", "a.yaml:1"),
    ],
)
def test_a_place_is_a_file_and_a_line(tmp_path: Path, path: str, place: str) -> None:
    source = read_sources(_write(tmp_path, a=PLATFORM, b=MORE))
    assert str(source.place_of(path)) == f"{tmp_path}/{place}"


def test_files_that_contradict_one_another_are_refused_with_both_places(tmp_path: Path) -> None:
    files = _write(tmp_path, a=PLATFORM, b="tenants:\n  - name: acme\n    region: us\n")
    with pytest.raises(UnreadableSource, match=r"b\.yaml:3: 'us' contradicts 'eu' in .*a\.yaml:6"):
        read_sources(files)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2\n", ":2: 'a' stands here twice"),
        ("a: [1\n", ":2: "),
        ("- 1\n", ":1: the document must be a mapping"),
        ("just text\n", ":1: the document must be a mapping"),
        ("a:\n  - .inf\n", ":2: '.inf' cannot be read"),
        ("a: !!binary aGVsbG8=\n", ":1: 'aGVsbG8=' cannot be read"),
        ("a: !env HOME\n", ":1: 'HOME' cannot be read"),
        ("a: 2026-02-30\n", ":1: '2026-02-30' cannot be read"),
    ],
)
def test_what_is_no_plain_document_is_refused_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UnreadableSource) as raised:
        read_sources(_write(tmp_path, a=text))
    assert says in raised.value.message


def test_a_tag_makes_nothing_happen(tmp_path: Path) -> None:
    assert read_sources(_write(tmp_path, a="a: !!python/object/apply:os.getcwd []\n")).content == {"a": []}


def test_bytes_that_are_no_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: \xff\n")
    with pytest.raises(UnreadableSource, match="UTF-8"):
        read_sources([tmp_path / "a.yaml"])


def test_a_folder_without_files_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.yaml"):
        with pytest.raises(UnreadableSource, match=str(path)):
            read_sources([path])


def test_an_empty_file_is_an_empty_document(tmp_path: Path) -> None:
    assert read_sources(_write(tmp_path, a="# nothing\n")).content == {}


def test_dates_become_text(tmp_path: Path) -> None:
    assert read_sources(_write(tmp_path, a="a: 2027-06-30\n")).content == {"a": date(2027, 6, 30).isoformat()}


def _no_vault(where: str) -> str:
    message = f"There is nothing at {where}."
    raise VaultMissing(message)


def _keys(tmp_path: Path, secret: str) -> Source:
    return read_sources(
        _write(tmp_path, a=f"tenants:\n  - name: acme\n    keys:\n      - {{name: k, secret: {secret}}}\n")
    )


def test_the_secrets_of_keys_are_read_where_the_document_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n", encoding="utf-8")
    for secret, value in (
        ("{env: A}", "from A"),
        (f"{{file: {tmp_path}/secret}}", "from a file"),
        ("{value: v}", "v"),
        ("{vault: secret/keys#k}", "from Vault"),
    ):
        source = _keys(tmp_path, secret)
        source.resolve_key_secrets({"A": "from A"}, {"secret/keys#k": "from Vault"}.__getitem__)
        assert source.content["tenants"][0]["keys"][0]["secret"] == {"value": value}


@pytest.mark.parametrize(
    "secret", ["{env: NOT_SET}", "{env: EMPTY}", "{file: /does/not/exist}", "{vault: secret/keys#k}"]
)
def test_a_secret_that_is_not_there_is_told_with_its_line(tmp_path: Path, secret: str) -> None:
    with pytest.raises(UnreadableSource, match=r"a\.yaml:4: "):
        _keys(tmp_path, secret).resolve_key_secrets({"EMPTY": ""}, _no_vault)


def test_the_secrets_of_providers_stay_references(tmp_path: Path) -> None:
    source = read_sources(_write(tmp_path, a="providers: [{name: p, kind: openai, api_key: {env: A}}]\n"))
    source.resolve_key_secrets({"A": "not read"}, _no_vault)
    assert source.content["providers"][0]["api_key"] == {"env": "A"}
