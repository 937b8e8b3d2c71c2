-- The control plane: retailers, their keys and catalogues, visible generations of trees, requested replays.
-- Texts that are compared or sorted use "C": the order of bytes, the same on every server and in every adapter.

-- One row a subject; every change raises it in its own transaction, and running processes load what was raised.
CREATE TABLE versions (
    subject text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL
);
INSERT INTO versions VALUES ('retailers', 1), ('generations', 1), ('replays', 1);

CREATE TABLE retailers (
    retailer_id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL CONSTRAINT retailers_name_key UNIQUE,
    settings jsonb NOT NULL
);

-- Digests of keys, never keys.
CREATE TABLE keys (
    digest text COLLATE "C" PRIMARY KEY,
    retailer_id text COLLATE "C" NOT NULL REFERENCES retailers,
    scope text NOT NULL,
    until_ms bigint
);
CREATE INDEX keys_retailer_id ON keys (retailer_id);

-- No reference to retailers: it would be looked up for each of 100,000 rows of an import, which holds the retailer's row.
CREATE TABLE catalogue (
    retailer_id text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    item jsonb NOT NULL,
    PRIMARY KEY (retailer_id, product_id)
);

-- Reserved once the row is there, visible once it has a time.
CREATE TABLE generations (
    retailer_id text COLLATE "C" NOT NULL,
    generation integer NOT NULL,
    visible_at timestamptz,
    PRIMARY KEY (retailer_id, generation)
);

CREATE TABLE replays (
    failed_id text COLLATE "C" PRIMARY KEY,
    partition integer NOT NULL
);
CREATE INDEX replays_partition ON replays (partition, failed_id);
