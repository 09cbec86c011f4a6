"""Anthropic messages: see `dialect` for the line's face, `codec` for translation."""

from enfilade.dialects.members.anthropic_messages.dialect import DIALECT as DIALECT
