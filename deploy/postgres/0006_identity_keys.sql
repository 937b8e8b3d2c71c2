-- The keys under which each retailer's shoppers are named, wrapped: worth nothing without the key-encryption key.
-- A new table only: what runs already knows none of it. Retailers without a row have the keys that they always had.
CREATE TABLE identity_keys (
    retailer_id text COLLATE "C" PRIMARY KEY REFERENCES retailers,
    -- The name of the key that wrapped both.
    kek text NOT NULL,
    shopper bytea NOT NULL,
    privacy bytea NOT NULL
);
