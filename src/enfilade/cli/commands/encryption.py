"""`enfilade encryption`."""

from typing import Annotated, Any

import typer

from enfilade.cli.output import done, print_fields, print_json, print_table
from enfilade.cli.remote import AsJson, KeyOption, TenantOption, Url, confirm, remote

APP = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Keys under which everything kept is sealed: how they stand, and changes.",
)
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@APP.command()
def status(tenant: TenantOption = None, as_json: AsJson = False, url: Url = None, key: KeyOption = None) -> None:
    """Show how everything is sealed, or with --tenant a tenant's things, and how far rotations have come."""
    if tenant is not None:
        _show_tenant(remote(url, key).get("/encryption/key", tenant=tenant), as_json=as_json)
        return
    found = remote(url, key).get("/encryption")
    if as_json:
        print_json(found)
        return
    columns = ("master key", "tenants#", "keys#", "current", "may be removed")
    rows = (
        (one["name"], one["tenants"], one["keys"], one["is_current"], one["may_be_removed"])
        for one in found["master_keys"]
    )
    print_table(columns, rows, empty="There is no master key: set ENFILADE_MASTER_KEY_FILE.")
    shown = ("active", "retired", "renewing", "withdrawn", "destroyed", "secrets_outdated", "old_form_done")
    print_fields({name: found[name] for name in shown})


@APP.command()
def rotate(tenant: TenantOption = None, url: Url = None, key: KeyOption = None) -> None:
    """Give a tenant, or without --tenant the platform, a new version of its key; nothing is interrupted."""
    versions = remote(url, key).request("POST", "/encryption/rotate", params={"tenant": tenant})
    done(f"New things are sealed under version {versions[-1]['version']}; older ones follow in the background.")


@APP.command()
def rewrap(url: Url = None, key: KeyOption = None) -> None:
    """Wrap and seal anew what a rotation left, now rather than in the background."""
    found = remote(url, key).request("POST", "/encryption/rewrap")
    done(f"{found['renewed']} keys and secrets were renewed.")


@APP.command(name="master-key")
def master_key(
    service: Annotated[str, typer.Argument(help="vault-transit:MOUNT/KEY, aws-kms:REGION/KEY-ID, or `none`.")],
    tenant: TenantOption = None,
    url: Url = None,
    key: KeyOption = None,
) -> None:
    """Wrap a tenant's key under a master key of the tenant's own; `none` goes back to the installation's."""
    body = {"service": None if service == "none" else service}
    remote(url, key).request("PUT", "/encryption/master-key", params={"tenant": tenant}, json=body)
    done("The tenant's key is wrapped under it from now on.")


@APP.command()
def withdraw(tenant: TenantOption = None, yes: Yes = False, url: Url = None, key: KeyOption = None) -> None:
    """Withdraw a tenant's key: nothing of it is read or served until it is restored."""
    confirm(f"Withdraw the key of {tenant or 'this tenant'}? All of its calls end.", yes=yes)
    remote(url, key).request("POST", "/encryption/withdraw", params={"tenant": tenant})
    done("The key is withdrawn, everywhere within a second.")


@APP.command()
def restore(tenant: TenantOption = None, url: Url = None, key: KeyOption = None) -> None:
    """Give a withdrawn key back. What the platform withdrew, only the platform does."""
    remote(url, key).request("POST", "/encryption/restore", params={"tenant": tenant})
    done("The key is restored.")


@APP.command()
def destroy(tenant: str, yes: Yes = False, url: Url = None, key: KeyOption = None) -> None:
    """Destroy a tenant's key for good: what was sealed under it can be read by nobody any more."""
    confirm(f"Destroy the key of {tenant} and with it all that is kept of it? Nobody can undo this.", yes=yes)
    remote(url, key).request("POST", "/encryption/destroy", params={"tenant": tenant}, json={"confirm": tenant})
    done("The key is destroyed.")


def _show_tenant(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    columns = ("version#", "state", "master key", "own", "since", "renewed")
    rows = (
        (
            one["version"],
            one["state"],
            one["master_key"],
            one["own_master_key"],
            one["created_at"][:19].replace("T", " "),
            (one["renewed_at"] or "")[:19].replace("T", " "),
        )
        for one in found["versions"]
    )
    print_table(columns, rows, empty="Nothing was sealed for this tenant yet.")
    print_fields(
        {name: found[name] for name in ("state", "withdrawn_by", "subjects", "erased_subjects", "outdated_subjects")}
    )
