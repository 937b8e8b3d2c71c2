-- Requests of the kind `export`, and the documents that they bring. A privacy worker and gateways of before can't read
-- such a request: start the new ones before anybody asks for an export.

-- An export changes no list: its version is 0, as of many others.
ALTER TABLE privacy_requests DROP CONSTRAINT privacy_requests_list_version_key;
CREATE UNIQUE INDEX privacy_requests_list_version ON privacy_requests (list_version) WHERE list_version > 0;

CREATE TABLE exports (
    request_id text COLLATE "C" NOT NULL,
    digest text COLLATE "C" NOT NULL,
    made_at_ms bigint NOT NULL,
    until_ms bigint NOT NULL,
    -- 0 once it is gone.
    sealed_bytes bigint NOT NULL,
    -- One shopper's document, compressed and encrypted.
    sealed bytea NOT NULL,
    PRIMARY KEY (request_id, digest)
);
-- The server need not try to make it smaller.
ALTER TABLE exports ALTER COLUMN sealed SET STORAGE EXTERNAL;
-- Whoever is erased is asked for shopper by shopper; what is old is asked for often.
CREATE INDEX exports_by_digest ON exports (digest) WHERE sealed_bytes > 0;
CREATE INDEX exports_by_end ON exports (until_ms) WHERE sealed_bytes > 0;
