-- Generations can be rolled back, and are forgotten once nobody will ask for them again.
-- What runs already goes on: a generation that was rolled back loses its `visible_at`, which is all that it looks at.
ALTER TABLE generations
    -- How many trees it brought; 0 where nobody counted.
    ADD COLUMN trees bigint NOT NULL DEFAULT 0,
    -- Visible once, and never again.
    ADD COLUMN rolled_back_at timestamptz,
    -- Whether the trees of a generation that is invisible for good are deleted from the hot store.
    ADD COLUMN is_forgotten boolean NOT NULL DEFAULT false;
