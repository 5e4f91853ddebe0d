-- Questions that are answered by a call of our own: kept until that has been made.
CREATE TABLE callbacks (
    id TEXT PRIMARY KEY,
    -- Who asked, and by what it knows the question: the same one again is the same row.
    adapter TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Calls to one target are made one after the other.
    target TEXT NOT NULL,
    -- The message that brought it. Another message about a finished question asks anew.
    delivery TEXT NOT NULL,
    -- What is asked and where the answer goes, JSON; empty once it is finished, because it may hold a token.
    call TEXT NOT NULL,
    -- What has been decided and told so far, JSON.
    progress TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- Unix milliseconds, as below.
    created_at INTEGER NOT NULL,
    -- When the next try is due; null once it is finished.
    due_at INTEGER,
    outcome TEXT,
    UNIQUE (adapter, key)
) STRICT;

CREATE INDEX callbacks_due ON callbacks (due_at) WHERE due_at IS NOT NULL;
