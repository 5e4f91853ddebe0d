-- The ledger. Minutes of 64 SLOs lie in one row, so that a tick of ten thousand SLOs is some hundred rows.

-- What is counted: one row for each SLO and each way its events were found.
CREATE TABLE ledgers (
    id INTEGER PRIMARY KEY,
    environment TEXT NOT NULL,
    service TEXT NOT NULL,
    slo TEXT NOT NULL,
    -- Of the indicator and its source: other events are another ledger.
    fingerprint TEXT NOT NULL,
    -- The first minute with data, in minutes since 1970.
    first_minute INTEGER,
    UNIQUE (environment, service, slo, fingerprint)
) STRICT;

-- Sixty packed minutes of up to 64 ledgers: hour since 1970, ledger / 64.
CREATE TABLE minutes (
    hour INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    chunk BLOB NOT NULL,
    PRIMARY KEY (hour, shard)
) STRICT, WITHOUT ROWID;

-- Sums of whole hours of up to 64 ledgers: day since 1970, ledger / 64. Hours from `folded_to` on
-- are not here yet; their sums follow from their minutes.
CREATE TABLE folds (
    day INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    chunk BLOB NOT NULL,
    PRIMARY KEY (day, shard)
) STRICT, WITHOUT ROWID;

-- The stretches of the past that have been read, in minutes since 1970.
CREATE TABLE stretches (
    ledger INTEGER NOT NULL REFERENCES ledgers (id),
    from_minute INTEGER NOT NULL,
    until_minute INTEGER NOT NULL,
    PRIMARY KEY (ledger, from_minute)
) STRICT, WITHOUT ROWID;

-- How far each source has been read: reading resumes at the watermark.
CREATE TABLE watermarks (
    source TEXT PRIMARY KEY,
    minute INTEGER NOT NULL,
    read_to INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest sample of each series, for sources that have no past.
CREATE TABLE tails (
    ledger INTEGER NOT NULL,
    series BLOB NOT NULL,
    at INTEGER NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (ledger, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
    key TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
