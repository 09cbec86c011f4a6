"""Names of models and kinds, as different as providers write them."""

import pytest

from enfilade.costs.reconciliation.naming import kind_of, model_keys, model_of, unit_size


@pytest.mark.parametrize(
    "names",
    [
        (
            "claude-opus-4-6",
            "us.anthropic.claude-opus-4-6-v1:0",
            "Claude Opus 4.6 (Amazon Bedrock Edition)",
            "Claude4.6Opus",
        ),
        ("claude-3-5-sonnet", "anthropic.claude-3-5-sonnet-20240620-v1:0", "Claude 3.5 Sonnet", "Claude3.5Sonnet"),
        ("gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o", "GPT-4o", "gpt 4o 0806"),
        ("nova-pro", "amazon.nova-pro-v1:0", "eu.amazon.nova-pro-v1:0", "NovaPro", "Nova Pro"),
        ("gemini-2.0-flash", "gemini-2.0-flash-001", "models/gemini-2.0-flash", "Gemini 2.0 Flash"),
        ("qwen3-vl-235b-a22b", "Qwen3-VL-235B-A22B", "qwen.qwen3-vl-235b-a22b"),
        ("claude-sonnet-4", "claude-sonnet-4@20250514", "claude-sonnet-4-20250514", "claude-sonnet-4-latest"),
    ],
)
def test_spellings_of_one_model_are_one(names: tuple[str, ...]) -> None:
    assert len({model_keys(name)[1] for name in names}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4.1", "gpt-4o"),
        ("claude-opus-4-5", "claude-opus-4-6"),
        ("claude-sonnet-4", "claude-sonnet-4-5"),
        ("llama3-1-70b-instruct", "llama3-1-8b-instruct"),
        ("o1", "o3"),
        ("gemini-2.5-flash", "gemini-2.5-flash-lite"),
        ("text-embedding-3-small", "text-embedding-3-large"),
    ],
)
def test_different_models_stay_apart(one: str, other: str) -> None:
    assert model_keys(one)[1] != model_keys(other)[1]


def test_dates_tell_versions_apart() -> None:
    may, august = model_keys("gpt-4o-2024-05-13"), model_keys("gpt-4o-2024-08-06")
    assert may[0] != august[0]
    assert may[1] == august[1]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("gpt-4o-2024-08-06, input", "input"),
        ("cached input", "cached_input"),
        ("output", "output"),
        ("audio input", "audio_input"),
        ("cached audio input", "cached_audio_input"),
        ("image output", "image_output"),
        ("USE1-NovaPro-cache-read-input-token-count", "cached_input"),
        ("USE1-NovaPro-cache-write-input-token-count", "cache_write"),
        ("USE1-MP:USE1_CacheReadInputTokenCount_Global-Units", "cached_input"),
        ("USE1-MP:USE1_CacheWrite1hInputTokenCount-Units", "cache_write"),
        ("USE1-MP:USE1_OutputTokenCount-Units", "output"),
        ("USW2-MP:USW2_output_tokens_global_standard-Units", "output"),
        ("gpt 4.1 cached Inp glbl Tokens", "cached_input"),
        ("gpt-4o 0806 Outp glbl Tokens", "output"),
        ("Claude Sonnet 4 Usage - Input Tokens, Cache Hit", "cached_input"),
        ("web search tool calls", "web_searches"),
        ("Vector store storage", None),
    ],
)
def test_kinds_are_found_in_descriptions(text: str, kind: str | None) -> None:
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("gpt-4o-2024-08-06, cached input", "gpt-4o-2024-08-06"),
        ("gpt-5.4-input", "gpt-5.4"),
        ("gpt 4.1 cached Inp glbl Tokens", "gpt 4.1"),
        ("input", "input"),
    ],
)
def test_models_are_found_in_descriptions(text: str, model: str) -> None:
    assert model_of(text) == model


@pytest.mark.parametrize(
    ("unit", "size"),
    [("1K tokens", 1000), ("1M Tokens", 1_000_000), ("tokens", 1), ("1000 Tokens", 1000), ("Units", 7), ("", 7)],
)
def test_units_have_sizes(unit: str, size: int) -> None:
    assert unit_size(unit, 7) == size
