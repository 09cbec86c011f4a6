"""What can be wrong with a credential or with what administrators say."""

from enfilade.core.errors import Conflict, Forbidden, InvalidRequest, LimitReached, NotFound, Unauthenticated


class MissingKey(Unauthenticated):
    """The request carries no key."""

    code = "missing_key"


class InvalidKey(Unauthenticated):
    """The key is unknown, was revoked, or belongs to something that was removed."""

    code = "invalid_key"
    remedy = "Use a current key; `enfilade key create` or `enfilade key rotate` makes one."


class ExpiredKey(Unauthenticated):
    """The key was valid once."""

    code = "key_expired"
    remedy = "Rotate the key: `enfilade key rotate NAME`."


class AmbiguousCredentials(InvalidRequest):
    """The request carries several credentials that differ."""

    code = "ambiguous_credentials"
    remedy = "Send the key once, in one header."


class AddressRefused(Forbidden):
    """The key may not be used from this network address."""

    code = "address_refused"
    remedy = "Call from an allowed network, or have the key's `allowed_ips` extended."


class PermissionMissing(Forbidden):
    """The key's roles do not include what this needs."""

    code = "permission_missing"


class RightsExceeded(Forbidden):
    """Somebody tried to grant rights that they lack."""

    code = "rights_exceeded"
    remedy = "Ask somebody who holds these rights to grant them."


class BreakGlassRequired(Forbidden):
    """The tenant lets the platform's people in by breaking the glass only."""

    code = "break_glass_required"
    remedy = (
        "`enfilade break-glass open --tenant NAME --reason TEXT` lets you in for a time; every act is an event there."
    )


class UnknownUser(Forbidden):
    """The end user named in the request is not a user of the tenant."""

    code = "unknown_user"
    remedy = "Create the user first, or correct `x-enfilade-user`."


class UnknownTenant(NotFound):
    """There is no such tenant that the caller may see."""

    code = "tenant_not_found"


class UnknownDepartment(NotFound):
    """There is no such department in the tenant."""

    code = "department_not_found"


class UnknownPerson(NotFound):
    """There is no such user in the tenant."""

    code = "user_not_found"


class UnknownApplication(NotFound):
    """There is no such application in the tenant."""

    code = "application_not_found"


class UnknownKey(NotFound):
    """There is no such key in the tenant."""

    code = "key_not_found"


class AlreadyExists(Conflict):
    """Something of that name is there already."""

    code = "already_exists"
    remedy = "Choose another name, or change what is there."


class ManagedElsewhere(Conflict):
    """It came by SCIM, and is changed where it came from."""

    code = "managed_elsewhere"
    remedy = "Change it in the directory that provisions it; roles and departments are given here."


class UnknownCell(NotFound):
    """There is no such cell."""

    code = "cell_not_found"


class NoPlace(Conflict):
    """No cell, or not the one that was named, can take the tenant."""

    code = "no_place_for_tenant"
    remedy = "Choose another isolation, region or cell, or declare a cell with room: `enfilade cell list` shows them."


class UnknownGroup(NotFound):
    """There is no such group in the tenant."""

    code = "group_not_found"


class UnknownRole(NotFound):
    """There is no such role in the tenant."""

    code = "role_not_found"


class UnknownAssignment(NotFound):
    """There is no such assignment of a role in the tenant."""

    code = "assignment_not_found"


class UnknownSubject(NotFound):
    """There is no such user, group, department or application in the tenant."""

    code = "subject_not_found"


class UnknownBreakGlass(NotFound):
    """The glass was not broken so, as far as the caller may see."""

    code = "break_glass_not_found"


class NotYetOver(Conflict):
    """What is still going on cannot be reviewed."""

    code = "break_glass_open"
    remedy = "End it first: `enfilade break-glass end ID`."


class VersionMismatch(Conflict):
    """It was changed since it was read."""

    code = "version_mismatch"
    status = 412
    remedy = "Read it again and repeat the change with the new `etag`."


class InvalidSpecification(InvalidRequest):
    """A field of the specification does not fit."""

    code = "invalid_specification"
    status = 422


class TenantSuspended(Forbidden):
    """The tenant is suspended: whoever has a valid credential of it is told so, and nobody else."""

    code = "tenant_suspended"
    remedy = "Ask the platform's operators; they can resume the tenant."


class MoveUnderWay(Conflict):
    """The tenant is on its way to another cell, or out of the installation."""

    code = "move_under_way"
    remedy = "Wait for its end, or take it back: `enfilade tenant move NAME --abort`."


class MoveNotOpen(Conflict):
    """The move has ended, or has gone too far to be taken back."""

    code = "move_not_open"
    remedy = "`enfilade tenant move NAME --to …` starts another one, back if need be."


class UnknownMove(NotFound):
    """There is no such move."""

    code = "move_not_found"


class NotSuspended(Conflict):
    """What cannot be undone is done to a suspended tenant only."""

    code = "not_suspended"
    remedy = "Suspend it first: `enfilade tenant suspend NAME --reason TEXT`; or say --force."


class UnknownErasure(NotFound):
    """No such tenant was erased here."""

    code = "erasure_not_found"


class TooManyArchives(LimitReached):
    """As many archives of tenants are being written or read in this process as may be at a time."""

    code = "too_many_archives"
    remedy = "Wait until one of them has ended."


class UntrustedArchive(Forbidden):
    """The archive of a tenant is not signed, or not by whom it should be."""

    code = "untrusted_archive"
    remedy = (
        "Nothing was changed. Take the archive from its source again; `enfilade tenant signing-key` there shows the key that "
        "signs. --allow-unsigned takes one that nobody signed."
    )
