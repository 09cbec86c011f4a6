"""What can be wrong with policies, use cases, and questions."""

from enfilade.core.errors import Conflict, Forbidden, InvalidRequest, NotFound


class AccessDenied(Forbidden):
    """A policy of the tenant does not allow this."""

    code = "access_denied"
    remedy = "Who looks after policies sees more of it: `enfilade access explain`."


class UseCaseRequired(InvalidRequest):
    """The tenant wants to know what each call is for."""

    code = "use_case_required"
    remedy = "Name a registered use case in the header `x-enfilade-use-case`."


class UseCaseNotRegistered(InvalidRequest):
    """The tenant takes registered use cases only."""

    code = "use_case_not_registered"
    remedy = "Name a use case of the register, or have this one registered: `enfilade use-case create`."


class InvalidPolicy(InvalidRequest):
    """A policy does not parse, or speaks of what there is not."""

    code = "invalid_policy"
    status = 422
    remedy = "Correct the policies; `problems` has each with its line and column."


class InvalidAccess(InvalidRequest):
    """A use case, a row of the matrix or a setting does not fit."""

    code = "invalid_access"
    status = 422


class InvalidEvaluation(InvalidRequest):
    """A question to the decision point does not have the form of the Authorization API."""

    code = "invalid_evaluation"


class UnknownPolicy(NotFound):
    """The published version has no policy of that name."""

    code = "policy_not_found"


class UnknownVersion(NotFound):
    """There is no such version of the tenant's policies."""

    code = "access_version_not_found"


class UnknownUseCase(NotFound):
    """There is no such use case in the register."""

    code = "use_case_not_found"


class VersionNotOpen(Conflict):
    """The version is not, or no longer, in the state for this."""

    code = "access_version_state"
    remedy = "Make a new draft: `enfilade access draft`."


class SecondPersonNeeded(Forbidden):
    """The tenant wants somebody other than the author to approve policies."""

    code = "second_person_needed"
    remedy = (
        "Have somebody else with `access:approve` approve the version, in a session or by a key that stands for them; its "
        "author cannot."
    )
