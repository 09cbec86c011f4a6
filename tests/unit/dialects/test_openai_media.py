"""Addresses that hold their data, as OpenAI's dialects have them."""

import pytest

from enfilade.dialects.errors import WrongType
from enfilade.dialects.openai.media import data_address, split_data, type_of_file


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("data:image/png;base64,AAAA", ("image/png", "AAAA")),
        ("DATA:image/png;BASE64,AAAA", ("image/png", "AAAA")),
        ("data:text/plain;charset=utf-8;base64,AAAA", ("text/plain", "AAAA")),
        ("data:;base64,", (None, "")),
        ("https://example.com/data:image/png;base64,AAAA", (None, None)),
        ("", (None, None)),
    ],
)
def test_data_are_taken_out_of_their_address(address: str, found: tuple[str | None, str | None]) -> None:
    assert split_data(address, "url") == found


@pytest.mark.parametrize("address", ["data:", "data:text/plain,Hi", "data:image/png;base64", "data:" + "a" * 5_000_000])
def test_other_addresses_of_data_are_refused(address: str) -> None:
    with pytest.raises(WrongType) as refusal:
        split_data(address, "messages[0].content[1].image_url.url")
    assert refusal.value.param == "messages[0].content[1].image_url.url"


def test_an_address_is_written_as_it_is_read() -> None:
    assert split_data(data_address("AAAA", "image/gif"), "url") == ("image/gif", "AAAA")


def test_the_ending_of_a_name_tells_the_type() -> None:
    names = ("a.PDF", "a.b.csv", "pdf", "a.new", "", None)
    assert [type_of_file(name) for name in names] == [
        "application/pdf",
        "text/csv",
        "application/pdf",
        None,
        None,
        None,
    ]
