"""A tenant that has something of everything around approvals and access reviews."""

from datetime import timedelta

from enfilade.access.approvals.types import Asked, Rule, Stage, Wish
from enfilade.access.reviews.types import ReviewSettings
from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import to_datetime
from enfilade.identity.types import UserSpec
from tests.support.parts import unit_in


async def leave_approvals(parts: Parts, tenant: str, asker: str) -> dict[str, str]:
    """Make a row in each of the tables; return an id for each noun. `asker` is the address of a user of the tenant."""
    service, reviews = parts.approvals.service, parts.approvals.reviews
    async with unit_in(parts, tenant) as unit:
        user = await parts.identity.users.get(unit, asker)
        reviewer, _ = await parts.identity.users.put(unit, UserSpec(f"reviewer-of-{asker}"))
        words = (f"user:{reviewer.spec.email}",)
        rule, _ = await service.rules.put(unit, Rule(f"rule-of-{asker}", (Stage(words),), emergency=(f"user:{asker}",)))
        ends = to_datetime(parts.clock.now_ns()) + timedelta(days=1)
        await service.delegations.put(unit, reviewer.id, asker, None, ends)
        wish = Wish(Asked("model", model="chat"), f"a wish of {asker}", 3600)
        request = await service.requests.ask(unit, user.id, wish)
        await service.requests.comment(unit, user.id, request.id, f"a word of {asker}")
        await service.requests.decide(unit, reviewer.id, request.id, approves=True)
        taken = await service.emergency.take(unit, user.id, wish)
        grants = await unit.fetch("SELECT id FROM access_grants WHERE tenant_id = $1 AND NOT emergency", tenant)
        settings = ReviewSettings(scope=("grants",), reviewers=words)
        review = await reviews.campaigns.start(unit, f"review-of-{asker}", settings)
        schedule, _ = await reviews.campaigns.put_schedule(unit, f"schedule-of-{asker}", settings, "year", ends)
    return {
        "approval-rules": rule.id,
        "approval-requests": request.id,
        "access-grants": str(grants[0]["id"]),
        "emergency-access": taken.id,
        "access-reviews": review.id,
        "access-review-schedules": schedule.id,
    }
