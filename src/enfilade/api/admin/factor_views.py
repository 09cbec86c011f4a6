"""How second factors are shown."""

import io
from datetime import datetime
from typing import Annotated

import segno
from pydantic import Field

from enfilade.api.admin.views import View
from enfilade.identity.accounts.types import Factor, NewTotp

FactorName = Annotated[str, Field(min_length=1, max_length=60, description="What its owner calls it.")]


class TotpView(View):
    """A shared secret for an app. It counts once a code of it was shown."""

    id: str
    secret: Annotated[str, Field(description="In base32, to be typed where no picture can be taken.")]
    uri: str
    svg: Annotated[str, Field(description="The same as a QR code.")]


class FactorView(View):
    """A second factor."""

    id: str
    kind: Annotated[str, Field(description="`totp` or `webauthn`.")]
    name: str
    created_at: datetime
    used_at: datetime | None


def totp_view(new: NewTotp) -> TotpView:
    """As it is shown, this once."""
    picture = io.BytesIO()
    segno.make(new.uri, error="m").save(picture, kind="svg", scale=4, xmldecl=False)
    return TotpView(id=new.id, secret=new.secret, uri=new.uri, svg=picture.getvalue().decode())


def factor_view(factor: Factor) -> FactorView:
    """As it is shown."""
    return FactorView(
        id=factor.id, kind=factor.kind, name=factor.name, created_at=factor.created_at, used_at=factor.used_at
    )
