-- Minutes and sums are found by a key that is apart from them. Without it SQLite reads whole rows to
-- compare their keys, and these are rows of some pages.
CREATE TABLE minutes_by_key (
    hour INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    chunk BLOB NOT NULL,
    PRIMARY KEY (hour, shard)
) STRICT;

INSERT INTO minutes_by_key SELECT hour, shard, chunk FROM minutes ORDER BY hour, shard;
DROP TABLE minutes;
ALTER TABLE minutes_by_key RENAME TO minutes;

CREATE TABLE folds_by_key (
    day INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    chunk BLOB NOT NULL,
    PRIMARY KEY (day, shard)
) STRICT;

INSERT INTO folds_by_key SELECT day, shard, chunk FROM folds ORDER BY day, shard;
DROP TABLE folds;
ALTER TABLE folds_by_key RENAME TO folds;
