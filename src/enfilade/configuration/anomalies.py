"""Between the document's part on anomalies and the room's own form, in both directions."""

from decimal import Decimal
from typing import Any

from enfilade.configuration.billing_parts import Anomalies
from enfilade.costs.outlook.rules import AnomalyRules


def anomaly_rules_of(part: Anomalies) -> AnomalyRules:
    """For the room."""
    return AnomalyRules(
        enabled=part.enabled,
        factor=_figure(part.factor),
        deviations=_figure(part.deviations),
        least_usd=_figure(part.least_usd),
        scopes=tuple(part.scopes),
    )


def anomaly_fields(rules: AnomalyRules) -> dict[str, Any]:
    """In the document's words."""
    return {
        "enabled": rules.enabled,
        "factor": Decimal(rules.factor),
        "deviations": Decimal(rules.deviations),
        "least_usd": Decimal(rules.least_usd),
        "scopes": list(rules.scopes),
    }


def _figure(figure: Decimal) -> str:
    """2, 2.0 and 2E+0 are one figure."""
    text = format(figure, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
