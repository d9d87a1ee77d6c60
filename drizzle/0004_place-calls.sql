DROP INDEX "phone_calls_queue_idx";--> statement-breakpoint
ALTER TABLE "phone_calls" ADD COLUMN "placing_until" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "phone_calls_due_idx" ON "phone_calls" USING btree ("due_at") WHERE status IN ('initiated', 'ringing', 'in-progress') AND due_at IS NOT NULL;--> statement-breakpoint
CREATE INDEX "phone_calls_placing_idx" ON "phone_calls" USING btree ("placing_until") WHERE placing_until IS NOT NULL;--> statement-breakpoint
CREATE INDEX "phone_calls_queue_idx" ON "phone_calls" USING btree ("sip_trunk_id","seq") WHERE status = 'queued';