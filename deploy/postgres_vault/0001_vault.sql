-- The reward vault: a database of its own, with a role of its own. A row alone says nothing of who won or what for:
-- terms (amount, currency, time of the claim) and email are sealed under a key that is not in any database.
CREATE TABLE claims (
    payout_id text COLLATE "C" PRIMARY KEY,
    state text COLLATE "C" NOT NULL CHECK (state IN ('due', 'paid', 'withdrawn')),
    settled_ms bigint,                    -- beginning of the UTC day; when exactly would tell which order was cancelled
    retailer_id text COLLATE "C",
    campaign_id text COLLATE "C",
    terms bytea,
    email bytea,                          -- NULL once forgotten
    CHECK ((state = 'due') = (settled_ms IS NULL)),
    -- A right that was withdrawn before anybody claimed it leaves nothing but its mark.
    CHECK ((terms IS NULL) = (retailer_id IS NULL) AND (terms IS NULL) = (campaign_id IS NULL)),
    CHECK (terms IS NOT NULL OR (state = 'withdrawn' AND email IS NULL))
);
CREATE INDEX claims_by_retailer ON claims (retailer_id, state);
CREATE INDEX claims_to_forget ON claims (settled_ms) WHERE email IS NOT NULL;
