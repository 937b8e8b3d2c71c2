-- Audit entries expire as the contract with the retailer says, and go no other way.
-- A new table, and triggers that let go of what has expired: what runs already goes on as before.

-- Since when each retailer's trail is whole; what is older has expired, and only that can be deleted. It only grows.
CREATE TABLE audit_kept (
    retailer_id text COLLATE "C" PRIMARY KEY,
    since_ms bigint NOT NULL
);

DROP TRIGGER audit_is_append_only ON audit;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit();

CREATE FUNCTION refuse_to_forget_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at_ms >= COALESCE((SELECT since_ms FROM audit_kept WHERE retailer_id = OLD.retailer_id), 0) THEN
        RAISE EXCEPTION 'the audit trail is append-only';
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER audit_keeps_its_time BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_to_forget_audit();

CREATE TRIGGER audit_kept_only_grows BEFORE UPDATE ON audit_kept
    FOR EACH ROW WHEN (NEW.since_ms < OLD.since_ms) EXECUTE FUNCTION refuse_to_change_audit();
CREATE TRIGGER audit_kept_stays BEFORE DELETE OR TRUNCATE ON audit_kept
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_audit();
