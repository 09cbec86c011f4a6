"""What `enfilade up` says when it cannot start: a sentence and a remedy, never a stack."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.support.books import owner_connection
from tests.support.process import Used, enfilade_up, run_cli, used_by
from tests.support.world import world

pytestmark = pytest.mark.e2e

UP = ("up", "--port", "0", "--data")


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Used:
    return used_by(tmp_path_factory.mktemp("used"))


def test_a_configuration_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = _refused(tmp_path, *UP, str(tmp_path / "data"), "--config", str(tmp_path / "nowhere.yaml"))
    assert "nowhere.yaml" in said
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("version: 1\ntenants:\n  - name: acme\n    colour: blue\n", ":4", "colour"),
        ("version: 1\nmodels:\n  - name: chat\n    deployments: none\n", ":4", "models[0].deployments"),
        ("version: 1\ntenants: [\n", ":3", "did not find expected node"),
    ],
)
def test_a_bad_configuration_is_refused_with_file_and_line(
    tmp_path: Path, content: str, place: str, words: str
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    said = _refused(tmp_path, *UP, str(tmp_path / "data"), "--config", str(path))
    assert f"bad.yaml{place}" in said
    assert words in said
    assert not (tmp_path / "data").exists()


def test_a_configuration_that_cannot_be_applied_changes_nothing(tmp_path: Path, installation: Used) -> None:
    document = world()
    document["tenants"][0]["keys"][0]["application"] = "nobody-declared-this"
    path = tmp_path / "world.json"
    path.write_text(json.dumps(document))
    data = installation.copied(tmp_path)
    said = _refused(tmp_path, *UP, str(data), "--config", str(path))
    assert "nobody-declared-this" in said
    with enfilade_up(tmp_path) as process:
        headers = {"authorization": f"Bearer {installation.admin_key}"}
        listed = httpx2.get(f"{process.url}/api/v1/applications", params={"tenant": "acme"}, headers=headers)
        assert {entry["name"] for entry in listed.json()["items"]} == {"sales-copilot", "code-review"}


def test_a_data_directory_serves_one_process_at_a_time(tmp_path: Path) -> None:
    with enfilade_up(tmp_path) as process:
        said = _refused(tmp_path, *UP, str(tmp_path / "data"))
        assert f"in use by process {process.process.pid}" in said
        assert "--data" in said
        assert process.process.poll() is None
        assert httpx2.get(f"{process.url}/readyz").status_code == 200


def test_a_port_that_is_taken_is_named_before_anything_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = _refused(tmp_path, "up", "--data", str(tmp_path / "data"), "--port", str(port))
    assert f"127.0.0.1:{port}" in said
    assert "--port" in said
    assert not (tmp_path / "data").exists()


def test_an_address_that_is_not_ours_is_named(tmp_path: Path) -> None:
    said = _refused(tmp_path, *UP, str(tmp_path / "data"), "--host", "203.0.113.1")
    assert "203.0.113.1" in said
    assert "--host" in said


def test_a_ready_file_that_cannot_be_written_is_named_before_anything_is_made(tmp_path: Path) -> None:
    path = tmp_path / "no" / "such" / "directory" / "ready.json"
    said = _refused(tmp_path, *UP, str(tmp_path / "data"), "--ready-file", str(path))
    assert "--ready-file" in said
    assert not (tmp_path / "data").exists()


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("something else")
    said = _refused(tmp_path, *UP, str(tmp_path / "data"))
    assert "data" in said
    assert (tmp_path / "data").read_text() == "something else"


def _remove(name: str) -> Callable[[Path], None]:
    return lambda data: (data / name).unlink()


def _open_to_all(name: str) -> Callable[[Path], None]:
    return lambda data: (data / name).chmod(0o644)


def _write(name: str, content: str) -> Callable[[Path], None]:
    def write(data: Path) -> None:
        (data / name).write_text(content)

    return write


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(_write("postgres/PG_VERSION", "12\n"), "PostgreSQL 12", id="made-by-another-version"),
        pytest.param(_remove("postgres/PG_VERSION"), "PG_VERSION", id="no-version-file"),
        pytest.param(_remove("postgres/global/pg_control"), "pg_control", id="no-control-file"),
        pytest.param(_write("owner.password", "another\n"), "owner.password", id="another-password"),
        pytest.param(_remove("owner.password"), "owner.password", id="no-password"),
        pytest.param(_write("master.key", "nonsense\n"), "master key", id="no-master-key"),
        pytest.param(_write("master.key", "A" * 43 + "=\n"), "are wrapped under local:", id="another-master-key"),
        pytest.param(_remove("master.key"), "master.key does not exist", id="master-key-missing"),
        pytest.param(_open_to_all("master.key"), "chmod 600", id="master-key-open-to-all"),
    ],
)
def test_a_damaged_data_directory_is_explained_and_left_as_it_is(
    tmp_path: Path, installation: Used, damage: Callable[[Path], None], words: str
) -> None:
    (tmp_path / "neighbour").write_text("not ours")
    data = installation.copied(tmp_path)
    damage(data)
    said = _refused(tmp_path, *UP, str(data))
    assert words in said
    assert (data / "postgres" / "base").is_dir()
    assert (tmp_path / "neighbour").exists()


async def test_a_schema_of_a_newer_program_is_not_served(tmp_path: Path, installation: Used) -> None:
    data = installation.copied(tmp_path)
    with enfilade_up(tmp_path) as process:
        async with owner_connection(data) as connection:
            await connection.execute("INSERT INTO enfilade.migrations VALUES ('enfilade', 9999, 'to_come', 'unknown')")
        assert process.stop() == 0
    said = _refused(tmp_path, *UP, str(data))
    assert "newer version" in said
    assert "9999_to_come" in said


def _refused(home: Path, *arguments: str) -> str:
    """What a command that must fail said, in one line."""
    run = run_cli(home, *arguments)
    said = " ".join(run.stderr.split())
    assert run.returncode != 0, run.stdout
    assert "Traceback" not in said
    return said
