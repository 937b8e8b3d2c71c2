-- What was asked about shoppers' data, the list of shoppers of whom nothing is taken, and which list gateways go by.
-- New tables only: what runs already knows none of them.

-- Each new request raises it by one.
INSERT INTO versions VALUES ('suppressed', 1);

CREATE TABLE privacy_requests (
    request_id text COLLATE "C" PRIMARY KEY,
    retailer_id text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    opened_at_ms bigint NOT NULL,
    due_at_ms bigint NOT NULL,
    shoppers integer NOT NULL,
    -- Of the list that came with the request: the list is what requests made, in this order.
    list_version bigint NOT NULL UNIQUE,
    stage text NOT NULL,
    stage_at_ms bigint NOT NULL,
    -- Of its shoppers.
    fingerprint text COLLATE "C" NOT NULL
);
CREATE INDEX privacy_requests_pending ON privacy_requests (list_version) WHERE stage <> 'done';
CREATE INDEX privacy_requests_alike ON privacy_requests (retailer_id, kind, fingerprint) WHERE stage <> 'done';

CREATE TABLE privacy_subjects (
    request_id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    -- The shopper hash, encrypted; empty once the request is done.
    sealed bytea NOT NULL,
    PRIMARY KEY (request_id, digest)
);

-- The newest list, whole.
CREATE TABLE suppressed (
    retailer_id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    PRIMARY KEY (retailer_id, digest)
);

-- The last word of every gateway, rewritten every few seconds: with room in each page, no index entry is new.
CREATE TABLE gateway_words (
    gateway_id text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    at_ms bigint NOT NULL
) WITH (fillfactor = 50);
