-- What is known of the erasures that privacy requests asked for: where each shopper's record stands in the event log,
-- and what every store said when it was last visited. New tables and an index: what runs already goes on as before.

-- Who was let go, and who is being erased, is asked shopper by shopper.
CREATE INDEX privacy_subjects_by_digest ON privacy_subjects (digest);

CREATE TABLE erasure_tombstones (
    request_id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    epoch bigint NOT NULL,
    at_offset bigint NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (request_id, digest)
);

CREATE TABLE erasure_receipts (
    request_id text COLLATE "C" NOT NULL,
    store text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    found bigint NOT NULL,
    removed bigint NOT NULL,
    -- Of the shoppers, by the last look.
    not_gone bigint NOT NULL,
    -- Why; empty where nothing is left.
    waits_for text NOT NULL,
    visits bigint NOT NULL,
    PRIMARY KEY (request_id, store)
);
