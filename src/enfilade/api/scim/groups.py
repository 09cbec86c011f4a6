"""SCIM groups. A group may have many members."""

from enfilade.api.admin.scim_router import resource_router
from enfilade.identity.provisioning.schemas import GROUPS

ROUTER = resource_router(GROUPS, lambda context: context.provisioning.groups, changed_silently=True)
