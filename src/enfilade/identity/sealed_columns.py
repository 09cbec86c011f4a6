"""Where this room keeps secrets sealed under the platform's key, for their renewal when that is rotated."""

from enfilade.identity import store
from enfilade.sealing.places import Column

SEALED_COLUMNS = (
    Column(
        "issuers.client_secret",
        store.OUTDATED_CLIENT_SECRETS,
        store.RESEAL_CLIENT_SECRET,
        store.COUNT_OUTDATED_CLIENT_SECRETS,
    ),
    Column("second_factors.secret", store.OUTDATED_FACTORS, store.RESEAL_FACTOR, store.COUNT_OUTDATED_FACTORS),
)
