ALTER TABLE "error_logs" DROP CONSTRAINT "error_logs_sip_trunk_id_sip_trunks_id_fk";
--> statement-breakpoint
ALTER TABLE "phone_calls" DROP CONSTRAINT "phone_calls_sip_trunk_id_sip_trunks_id_fk";
