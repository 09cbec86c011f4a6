"""What a question has to fit: a dialect, as a service speaks it, for one model."""

from enfilade.dialects.codec import Rules
from enfilade.dialects.traits import Traits
from enfilade.dialects.translation.types import Aim


def test_what_a_service_lacks_every_model_of_it_lacks() -> None:
    rules = Rules(takes=frozenset({"seed", "stop", "user"}), max_stop=4)
    traits = Traits(lacks=frozenset({"seed", "json_schema"}), max_stop=16)
    aim = Aim(rules=rules, traits=traits, lacks=frozenset({"user", "tools"}))
    assert aim.lacks == {"seed", "json_schema", "user", "tools"}
    assert aim.takes == {"stop"}
    assert aim.max_stop == 4
