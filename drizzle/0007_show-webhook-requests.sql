ALTER TABLE "webhook_requests" ADD COLUMN "id" uuid DEFAULT gen_random_uuid() NOT NULL;--> statement-breakpoint
ALTER TABLE "webhook_requests" ADD COLUMN "seq" bigserial NOT NULL;--> statement-breakpoint
ALTER TABLE "webhook_requests" ADD COLUMN "carrier_id" uuid;--> statement-breakpoint
ALTER TABLE "webhook_requests" ADD COLUMN "account_id" uuid;--> statement-breakpoint
UPDATE "webhook_requests" w SET "carrier_id" = c.carrier_id, "account_id" = c.account_id FROM "phone_calls" c WHERE c.id = w.call_id;--> statement-breakpoint
ALTER TABLE "webhook_requests" ALTER COLUMN "carrier_id" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "webhook_requests" ALTER COLUMN "account_id" SET NOT NULL;--> statement-breakpoint
CREATE INDEX "audio_prompts_created_at_idx" ON "audio_prompts" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "webhook_requests_carrier_id_seq_key" ON "webhook_requests" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE INDEX "webhook_requests_account_idx" ON "webhook_requests" USING btree ("account_id","seq");--> statement-breakpoint
ALTER TABLE "webhook_requests" ADD CONSTRAINT "webhook_requests_id_key" UNIQUE("id");