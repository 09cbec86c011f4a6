"""What the clock brings to campaigns: reminders, the end, the next one. Each step is taken once, and goes on after a crash."""

import structlog

from enfilade.access.reviews import store
from enfilade.access.reviews.answers import Answers
from enfilade.access.reviews.campaigns import Campaigns
from enfilade.access.reviews.rows import review_of
from enfilade.access.reviews.types import Review
from enfilade.core.clock import Clock, to_datetime, to_ns, to_rfc3339
from enfilade.core.errors import Conflict
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.unit_of_work import Storage
from enfilade.storage.visits import fetch_in_cells, for_tenants

LOOK_EVERY_S = 60.0
TENANTS_AT_ONCE = 500

log = structlog.get_logger("enfilade.access.reviews")


class ReviewKeeper:
    """Looks every minute, in every process."""

    def __init__(self, storage: Storage, clock: Clock, campaigns: Campaigns, answers: Answers) -> None:
        """Look into `storage`."""
        self._storage = storage
        self._clock = clock
        self._campaigns = campaigns
        self._answers = answers

    async def look(self) -> int:
        """Do everything that is due; return in how many tenants. Raises DatabaseUnavailable."""
        now, scope = to_datetime(self._clock.now_ns()), system_scope("access_reviews")
        rows = await fetch_in_cells(
            self._storage, scope, store.TENANTS_WITH_DUE, now, TENANTS_AT_ONCE, postponed="access_reviews_postponed"
        )
        tenants = [str(row["tenant_id"]) for row in rows]
        return len(await for_tenants(tenants, self._look_at, postponed="access_reviews_postponed"))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                if tenants := await self.look():
                    log.info("access_reviews_kept", count=tenants)
            except (DatabaseUnavailable, Conflict) as error:
                log.warning("access_reviews_postponed", error=error.message)
            await self._clock.sleep(LOOK_EVERY_S)

    async def _look_at(self, tenant: str) -> None:
        now = to_datetime(self._clock.now_ns())
        scope = tenant_scope(tenant, "access_reviews")
        async with self._storage.unit_of_work(scope) as unit:
            await self._campaigns.start_due(unit)
            for row in await unit.fetch(store.REMIND, tenant, now):
                waiting = await unit.fetch(store.WAITING_FOR, tenant, row["id"])
                unit.record(
                    "AccessReviewAwaitsAnswers",
                    id=str(row["id"]),
                    due_at=to_rfc3339(to_ns(row["due_at"])),
                    reviewers=[{"user": each["reviewer"], "items": each["items"]} for each in waiting],
                )
            campaigns = [review_of(row) for row in await unit.fetch(store.OPEN_REVIEWS, tenant)]
            for campaign in campaigns:
                if campaign.due_at <= now:
                    await self._answers.answer_for_the_silent(unit, campaign)
        for campaign in campaigns:
            await self._finish(campaign, is_due=campaign.due_at <= now)

    async def _finish(self, campaign: Review, *, is_due: bool) -> None:
        await self._answers.apply(campaign.tenant, campaign.id)
        if not is_due:
            return
        async with self._storage.unit_of_work(tenant_scope(campaign.tenant, "access_reviews")) as unit:
            present = await self._campaigns.get(unit, campaign.id)
            # Another process may have closed it; what is not done yet keeps it open until the next look.
            if present.closed_at is None and present.progress.applied == present.progress.items:
                await self._answers.close(unit, campaign.id)
