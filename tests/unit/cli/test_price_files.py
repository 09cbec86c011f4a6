"""Price lists as files: read with their places; what is cut, crooked or misspelt is refused with its line."""

from pathlib import Path

import pytest

from enfilade.cli.price_files import read_price_list, with_places
from enfilade.configuration.errors import InvalidPriceList, UnreadableSource
from enfilade.configuration.price_lists import entry_fields, read_entries

YAML = """prices:
  - {model: openai-main/gpt-4o, input: 2.5, output: 10, from: 2027-01-01}
  - model: "*/whisper*"
    seconds: 0.36
  - model: big
    input: 1
    long_context: [{above: 200000, input: 2}]
    service_tiers: {batch: {input: 0.5, long_context: [{above: 200000, input: 1}]}}
"""
JSON = """{"prices": [
  {"model": "openai-main/gpt-4o", "input": 2.5, "output": 10, "from": "2027-01-01"},
  {"model": "*/whisper*", "seconds": "0.36"},
  {"model": "big", "input": 1, "long_context": [{"above": 200000, "input": 2}],
   "service_tiers": {"batch": {"input": 0.5, "long_context": [{"above": 200000, "input": 1}]}}}
]}"""
CSV = """model,from,input,output,seconds,service_tier,above
openai-main/gpt-4o,2027-01-01,2.5,10,,,
*/whisper*,,,,0.36,,

big,,1,,,,
big,,2,,,,200000
big,,0.5,,,batch,
big,,1,,,batch,200000
"""


@pytest.mark.parametrize(("name", "text"), [("p.yaml", YAML), ("p.json", JSON), ("p.csv", CSV)])
def test_every_form_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    expected = read_entries(read_price_list(_file(tmp_path, "expected.yaml", YAML)).content["prices"])

    found = read_entries(read_price_list(_file(tmp_path, name, text)).content["prices"])

    assert found == expected
    assert read_entries([entry_fields(entry) for entry in found]) == found
    assert [entry.model for entry in found] == ["openai-main/gpt-4o", "*/whisper*", "big"]


@pytest.mark.parametrize(
    ("name", "text", "line", "word"),
    [
        ("p.yaml", "prices:\n  - {model: m, input: 0.1", 2, "no end"),
        ("p.yaml", "prices:\n  - {model: m, input: 0.1\n", 3, "expected"),
        ("p.json", '{"prices": [{"model": "m", "input": 1}', 2, "expected"),
        ("p.csv", "model,input\nm,1", 2, "no end"),
        ("p.csv", "model,input\nm,1\nn\n", 3, "cells"),
        ("p.csv", 'model,input\nm,"1\n', 2, "end of data"),
        ("p.csv", "name,input\nm,1\n", 1, "columns"),
        ("p.csv", "model,input,input\nm,1,2\n", 1, "columns"),
        ("p.csv", "model,input,above\nm,1,\nn,2,5\n", 3, "stands below"),
        ("p.yaml", "entries: []\nprices: []\n", 1, "unknown key"),
    ],
)
def test_a_file_that_is_not_whole_or_not_in_form_is_refused_with_its_line(
    tmp_path: Path, name: str, text: str, line: int, word: str
) -> None:
    with pytest.raises(UnreadableSource) as refusal:
        read_price_list(_file(tmp_path, name, text))

    assert f"{name}:{line}:" in refusal.value.message
    assert word in refusal.value.message


@pytest.mark.parametrize("text", ["", "prices: 5\n", "{}\n"])
def test_a_file_without_prices_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableSource, match="price list is a mapping"):
        read_price_list(_file(tmp_path, "p.yaml", text or "\n"))


def test_each_wrong_entry_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    text = "model,from,to,input\na,2027-01-01,2027-03-01,1\nb,,,-1\na,2027-02-01,,2\n"
    source = read_price_list(_file(tmp_path, "p.csv", text))

    with pytest.raises(InvalidPriceList) as refusal:
        read_entries(source.content["prices"])

    faults = refusal.value.details["faults"]
    assert isinstance(faults, list)
    told = [(source.place_of(fault["path"]).line, with_places(fault["message"], source)) for fault in faults]
    assert [line for line, _ in told] == [3, 4]
    assert "p.csv:2" in told[1][1], "the other entry is named by its line"


def _file(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
