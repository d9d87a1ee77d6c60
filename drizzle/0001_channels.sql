-- Whether a trunk has a channel left; true for a trunk without max_channels.
--
-- Exact under concurrency, as the WHERE of the INSERT or UPDATE that makes a call live: the trunk's row lock makes
-- those statements wait for each other, and a volatile PL/pgSQL function counts with a snapshot taken after the lock
-- was got, which one plain statement cannot do. The lock goes with the transaction. NO KEY UPDATE does not hinder the
-- foreign keys that point at the trunk.
CREATE FUNCTION trunk_has_channel(trunk uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  most integer;
BEGIN
  SELECT max_channels INTO most FROM sip_trunks WHERE id = trunk;
  IF most IS NULL THEN
    RETURN true;
  END IF;
  SELECT max_channels INTO most FROM sip_trunks WHERE id = trunk FOR NO KEY UPDATE;
  RETURN most IS NULL OR most > (
    SELECT count(*) FROM phone_calls
    WHERE sip_trunk_id = trunk AND status IN ('initiated', 'ringing', 'in-progress')
  );
END
$$;
--> statement-breakpoint
-- Every server process hears of a changed trunk, whichever process changed it.
CREATE FUNCTION notify_trunk_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('trunk_changed', coalesce(NEW.id, OLD.id)::text);
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER sip_trunks_notify AFTER INSERT OR UPDATE OR DELETE ON sip_trunks
FOR EACH ROW EXECUTE FUNCTION notify_trunk_changed();
