DROP INDEX "error_logs_trunk_idx";--> statement-breakpoint
ALTER TABLE "recordings" ADD COLUMN "trim" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "recordings" ADD COLUMN "callback_events" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
CREATE INDEX "error_logs_trunk_idx" ON "error_logs" USING btree ("sip_trunk_id","created_at");