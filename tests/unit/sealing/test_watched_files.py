"""Files that others replace: a change is seen, whatever way it is made, and what is gone is kept."""

from pathlib import Path

import pytest

from enfilade.sealing.watched_file import WatchedFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text(" one \n")
    return path


@pytest.fixture
def file(path: Path) -> WatchedFile:
    file = WatchedFile(path)
    assert file.look()
    assert file.text == "one"
    return file


def test_what_did_not_change_is_not_read_again(file: WatchedFile) -> None:
    assert not file.look()
    assert (file.text, file.fault) == ("one", None)


def test_a_file_that_is_written_again_is_read_again(file: WatchedFile, path: Path) -> None:
    path.write_text("another")
    assert file.look()
    assert file.text == "another"


def test_a_file_with_the_same_content_is_no_change(file: WatchedFile, path: Path) -> None:
    path.write_text("one\n\n\n")
    assert not file.look()


def test_a_link_that_is_swapped_for_another_is_a_change(tmp_path: Path) -> None:
    """Kubernetes replaces a secret's files by renaming a link to their directory."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(f"key-{name}")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "key").symlink_to("..data/key")
    file = WatchedFile(tmp_path / "key")
    file.look()
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert file.look()
    assert file.text == "key-two"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read"),
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"\xff\xfe", "no text"),
        (b"x" * 101, "too large"),
    ],
)
def test_what_holds_nothing_usable_keeps_the_last_text(
    tmp_path: Path, path: Path, content: bytes | None, fault: str
) -> None:
    file = WatchedFile(path, max_bytes=100)
    file.look()
    path.unlink() if content is None else path.write_bytes(content)
    assert not file.look()
    assert file.text == "one"
    assert fault in (file.fault or "")
    path.write_text("back again")
    assert file.look()
    assert (file.text, file.fault) == ("back again", None)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    file = WatchedFile(tmp_path)
    assert not file.look()
    assert file.text is None
    assert file.fault
