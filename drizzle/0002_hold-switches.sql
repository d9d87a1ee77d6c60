ALTER TABLE "registrations" DROP CONSTRAINT "registrations_trunk_id_sip_trunks_id_fk";
--> statement-breakpoint
ALTER TABLE "registrations" ADD COLUMN "trunk_version" integer NOT NULL;--> statement-breakpoint
ALTER TABLE "registrations" ADD COLUMN "username" text NOT NULL;--> statement-breakpoint
ALTER TABLE "switches" ADD COLUMN "holder" uuid;--> statement-breakpoint
CREATE INDEX "gateway_states_switch_idx" ON "gateway_states" USING btree ("switch_id");