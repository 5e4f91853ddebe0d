-- Ledgers of some of an SLO's events: of a group, of a value of a label. What they hold is part of what
-- the ledger of the whole holds.
CREATE TABLE subsets (
    ledger INTEGER PRIMARY KEY REFERENCES ledgers (id),
    whole INTEGER NOT NULL REFERENCES ledgers (id),
    -- Which, as JSON; or `cuts` and by what events are told apart: the stretches of such a ledger say where
    -- they have been.
    subset TEXT NOT NULL,
    UNIQUE (whole, subset)
) STRICT;
