"""Settings of property tests: the same examples in every run, unless somebody explores."""

import os

from hypothesis import HealthCheck, settings

EXPLORE = "ENFILADE_EXPLORE"
"""Set this variable to a factor to look further, with new examples each time: `ENFILADE_EXPLORE=20 ./dev test …`."""


def examples(count: int, **more: int) -> settings:
    """Run `count` examples, chosen once and for all; nothing depends on how fast the machine is."""
    factor = int(os.environ.get(EXPLORE, "0"))
    return settings(
        max_examples=count * max(1, factor),
        derandomize=not factor,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        **more,  # type: ignore[arg-type]
    )
