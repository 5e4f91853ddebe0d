-- How far files of JSON lines have been read; written with the counts that they brought.
CREATE TABLE positions (
    source TEXT NOT NULL,
    -- The name that the file had first, and where it was named last.
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    -- Which file it is; null when its content is no longer where it was. The bits of unsigned numbers.
    device INTEGER,
    inode INTEGER,
    -- Bytes that have been read; of a gzip file, of what is in it.
    read_to INTEGER NOT NULL,
    -- The first bytes, and the last ones before `read_to`, by which the content is known again.
    beginning BLOB NOT NULL,
    before BLOB NOT NULL,
    -- 1 in the middle of a line that is refused for its length.
    skipping INTEGER NOT NULL,
    -- Size in bytes and time of change (Unix nanoseconds) with which it was read to its end.
    size INTEGER,
    modified INTEGER,
    -- Since when the file is missing, Unix milliseconds.
    gone_since INTEGER
) STRICT;

CREATE INDEX positions_by_source ON positions (source);
