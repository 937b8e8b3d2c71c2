-- Campaigns with all their versions, and the ledger that leases their budgets to partitions of the event log.
-- New tables only: what runs already knows none of them.
INSERT INTO versions VALUES ('campaigns', 1);

-- Every version, never altered. The definition is text: what was written is what is read, byte for byte.
CREATE TABLE campaign_versions (
    retailer_id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    action text NOT NULL,
    made_by text NOT NULL,
    changed_at_ms bigint NOT NULL,
    definition text NOT NULL,
    PRIMARY KEY (retailer_id, campaign_id, version)
);

-- The newest version, with what the ledger asks of it; who changes a campaign or its leases locks its row.
-- A prize's stock is a row too, of the state 'stock', under an id that no campaign can have.
-- No reference to retailers, which would be looked up while an import holds the retailer's row for seconds.
-- Room in each page: the ledger rewrites rows all day, and then needs neither new pages nor new index entries.
CREATE TABLE campaigns (
    retailer_id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    state text NOT NULL,
    ends_at_ms bigint NOT NULL,
    -- Null = not limited.
    budget_minor bigint,
    budget_count bigint,
    -- Leases less returns of all partitions, so that they need not be counted.
    held_minor bigint NOT NULL DEFAULT 0,
    held_count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (retailer_id, campaign_id)
) WITH (fillfactor = 50);

-- What each partition holds of a campaign; leased and returned only grow.
CREATE TABLE leases (
    retailer_id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    leased_minor bigint NOT NULL,
    leased_count bigint NOT NULL,
    returned_minor bigint NOT NULL,
    returned_count bigint NOT NULL,
    reserved_minor bigint NOT NULL,
    reserved_count bigint NOT NULL,
    committed_minor bigint NOT NULL,
    committed_count bigint NOT NULL,
    PRIMARY KEY (retailer_id, campaign_id, partition)
) WITH (fillfactor = 50);

-- The newest owner of each partition that asked: those before it change nothing any more.
CREATE TABLE lease_owners (
    partition integer PRIMARY KEY,
    token bigint NOT NULL
);

-- What the seeds of draws are made from: nowhere else, and nothing but what draws reads it.
CREATE TABLE draw_chains (
    retailer_id text COLLATE "C" NOT NULL,
    campaign_id text COLLATE "C" NOT NULL,
    epochs integer NOT NULL,
    chain_end bytea NOT NULL,
    PRIMARY KEY (retailer_id, campaign_id)
);
