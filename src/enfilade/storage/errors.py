"""What can go wrong between Enfilade and its database."""

from enfilade.core.errors import EnfiladeError, InvalidRequest, Unavailable


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or did not answer in time."""

    code = "database_unavailable"
    remedy = "Try again; nothing was lost. Operators: `enfilade doctor` says what is wrong."


class CellUnavailable(DatabaseUnavailable):
    """The place where a tenant's data lives cannot be used now; other tenants are not concerned."""

    code = "cell_unavailable"
    remedy = (
        "Try again after `retry-after`; if it persists, `enfilade doctor` names the cell and what is wrong with it."
    )


class StorageFault(EnfiladeError):
    """The database or its embedded server is not in a state in which Enfilade may serve."""

    code = "storage_fault"
    remedy = "Run `enfilade doctor`; it names the fault and how to mend it."


class EmbeddedServerFault(StorageFault):
    """The embedded PostgreSQL server cannot be prepared or started."""

    code = "embedded_server_fault"


class DataDirectoryInUse(StorageFault):
    """Another process already serves this data directory."""

    code = "data_directory_in_use"
    remedy = "Stop the other process, or choose another directory with --data."


class MigrationFault(StorageFault):
    """The schema is missing, newer than this program, altered, or a migration failed."""

    code = "migration_fault"
    remedy = "Run `enfilade migrate`, or install the program version that made the schema."


class UnstorableText(InvalidRequest):
    """A text holds what PostgreSQL has no place for: the character NUL, or half of a surrogate pair."""

    code = "unstorable_text"
    status = 422
    remedy = "Send text of Unicode characters without NUL."


class ArchiveFault(InvalidRequest):
    """An archive of a tenant cannot be read, was altered, or does not fit this installation."""

    code = "archive_fault"
    status = 422
    remedy = "Nothing was changed. Take another copy of the archive, or write it again."
