-- What was decided and what changes decisions; who may ask; what is broken right now.

-- Decisions, overrides, exclusions and deployments in one chain. Nothing here is ever changed.
CREATE TABLE records (
    -- 1, 2, 3 and so on, without a gap.
    seq INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    -- What is recorded; an override has one record for each step of its life.
    id TEXT NOT NULL,
    -- Unix milliseconds, as all instants below.
    at INTEGER NOT NULL,
    service TEXT NOT NULL,
    environment TEXT NOT NULL,
    verdict TEXT,
    -- Which question this answers, and the hash of the question's body.
    idempotency TEXT,
    body_hash BLOB,
    -- Of the hash before and `json`; the first hash before is zeros.
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    json BLOB NOT NULL
) STRICT;

CREATE INDEX records_by_id ON records (id);
-- What lists filter by: it grows at its end alone. An index that begins with the service would be
-- changed in as many places as there are services in a transaction, which halves the throughput.
CREATE INDEX records_by_at ON records (at, service, environment, kind, verdict);
CREATE INDEX records_by_key ON records (idempotency) WHERE idempotency IS NOT NULL;
-- What a start reads: of decisions, which are many, only those whose claim counts.
CREATE INDEX records_of_state ON records (kind) WHERE kind <> 'decision';
CREATE INDEX records_that_count ON records (at)
    WHERE kind = 'decision' AND instr(json, CAST('"counts":true' AS BLOB)) > 0;

-- Ends of the chain, signed.
CREATE TABLE heads (
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    public_key BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (seq, at)
) STRICT, WITHOUT ROWID;

-- Machine tokens: of the secret only its hash.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    -- JSON lists; no pattern stands for everything.
    scopes TEXT NOT NULL,
    services TEXT NOT NULL,
    environments TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tokens_by_name ON tokens (name) WHERE revoked_at IS NULL;

-- Incidents, open while `closed_at` is null.
CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    key TEXT NOT NULL,
    service TEXT NOT NULL,
    environment TEXT,
    severity TEXT NOT NULL,
    title TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    confirmed_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX incidents_open ON incidents (key) WHERE closed_at IS NULL;
