"""Callers of every dialect, as their SDKs would send and keep a conversation: what the model said goes back as it came."""

from collections.abc import Mapping

from tests.support.callers.caller import Caller
from tests.support.callers.chat import Chat
from tests.support.callers.contents import Contents
from tests.support.callers.messages import Messages
from tests.support.callers.responses import Responses

CALLERS: Mapping[str, type[Caller]] = {kind.dialect: kind for kind in (Chat, Messages, Responses, Contents)}
