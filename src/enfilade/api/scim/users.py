"""SCIM users."""

from enfilade.api.admin.scim_router import resource_router
from enfilade.identity.provisioning.schemas import USERS

ROUTER = resource_router(USERS, lambda context: context.provisioning.users)
