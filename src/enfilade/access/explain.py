"""Decisions in words: what a refused caller is told, and what an administrator is shown."""

import msgspec

from enfilade.access.approvals.asking import how_to_ask
from enfilade.access.decisions import TenantAccess
from enfilade.access.errors import AccessDenied
from enfilade.access.near import other_use_cases
from enfilade.access.seats import Place, Seat
from enfilade.access.types import APPROVAL, Circumstances, Decision


class Deciding(msgspec.Struct, frozen=True):
    """A policy that had a part in a decision."""

    name: str
    effect: str
    cedar: str | None = None
    visible: bool = True


class Explanation(msgspec.Struct, frozen=True):
    """A decision about one deployment, with all that led to it."""

    resource: str
    model: str | None
    decision: Decision
    use_case: str | None
    data_class: str
    deciding: tuple[Deciding, ...]
    other_use_cases: tuple[str, ...]


def explain(guard: TenantAccess, seat: Seat, action: str, place: Place, context: Circumstances) -> Explanation:
    """Ask anew, and look at what is near."""
    decision = guard.ask(seat, action, place, context)
    return Explanation(
        resource=place.resource.name,
        model=place.resource.model,
        decision=decision,
        use_case=context.use_case,
        data_class=guard.data_class(context),
        deciding=tuple(_deciding(guard, name) for name in decision.policies),
        other_use_cases=() if decision.allowed else other_use_cases(guard, seat, action, place, context),
    )


def _deciding(guard: TenantAccess, name: str) -> Deciding:
    policy = guard.table.by_name.get(name)
    return Deciding(name, "forbid") if policy is None else Deciding(name, policy.effect, policy.text, policy.visible)


def refusal_of(
    guard: TenantAccess,
    seat: Seat,
    place: Place,
    context: Circumstances,
    decision: Decision,
    models: tuple[str, ...],
) -> AccessDenied:
    """What the caller is told: the rules that they may know of, and what would help."""
    visible = [name for name in decision.policies if (p := guard.table.by_name.get(name)) is None or p.visible]
    model = place.resource.model or place.resource.name
    use_cases = other_use_cases(guard, seat, "call", place, context)
    parts = [_said(decision, visible, model, context.use_case)]
    if APPROVAL in decision.missing:
        parts.append(how_to_ask(model, context.use_case))
    if use_cases:
        parts.append(f"It would be allowed for the use case {_listed(use_cases)}.")
    if models:
        parts.append(f"You may call {_listed(models)} just so.")
    details = {
        "reason": decision.reason,
        "policies": visible,
        "missing": list(decision.missing),
        "use_cases": list(use_cases),
        "models": list(models),
    }
    return AccessDenied(" ".join(parts), param="model", details=details)


def _said(decision: Decision, visible: list[str], model: str, use_case: str | None) -> str:
    purpose = f" for the use case {use_case!r}" if use_case is not None else ""
    rules = f"The policy {_listed(visible, ' and ')}" if visible else "A policy of your organisation"
    match decision.reason:
        case "prohibited":
            return f"The use case {use_case!r} is registered as prohibited: nothing may be called for it."
        case "department":
            return f"The use case {use_case!r} belongs to other departments."
        case "error":
            return f"{rules} could not be evaluated, which denies every call that it concerns. Tell your platform team."
    if APPROVAL in decision.missing:
        return f"{rules} allows the model {model!r}{purpose} with an approval only, and there is none."
    if decision.reason == "forbidden":
        return f"{rules} does not allow the model {model!r}{purpose}."
    return f"No policy allows you the model {model!r}{purpose}."


def _listed(names: "tuple[str, ...] | list[str]", between: str = " or ") -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + between + quoted[-1]
