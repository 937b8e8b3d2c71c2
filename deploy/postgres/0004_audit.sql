-- The audit trail: who did what with a retailer's shoppers, campaigns and keys.
-- New tables only: what runs already knows none of them.
CREATE TABLE audit (
    -- Of two entries of one millisecond, the one appended first.
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    retailer_id text COLLATE "C" NOT NULL,
    at_ms bigint NOT NULL,
    who text NOT NULL,
    action text NOT NULL,
    target text,
    outcome text NOT NULL
);
CREATE INDEX audit_by_time ON audit (retailer_id, at_ms, number);

-- Append-only, whoever writes: who may do more than that has to take the triggers away first, and is seen doing so.
CREATE FUNCTION refuse_to_change_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END
$$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit();
