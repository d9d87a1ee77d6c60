CREATE TABLE "callback_lanes" (
	"account_id" uuid NOT NULL,
	"lane" smallint NOT NULL,
	"failures" integer NOT NULL,
	"rests_until" timestamp with time zone NOT NULL,
	CONSTRAINT "callback_lanes_account_id_lane_pk" PRIMARY KEY("account_id","lane")
);
--> statement-breakpoint
DROP INDEX "status_callbacks_due_idx";--> statement-breakpoint
ALTER TABLE "status_callbacks" ADD COLUMN "lane" smallint GENERATED ALWAYS AS ((hashtext(lower(coalesce(substring(url from '^[a-zA-Z]+://(?:[^/?#]*@)?([^/?#]*)'), ''))) & 1023)::smallint) STORED NOT NULL;--> statement-breakpoint
ALTER TABLE "callback_lanes" ADD CONSTRAINT "callback_lanes_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "callback_lanes_rests_until_idx" ON "callback_lanes" USING btree ("rests_until");--> statement-breakpoint
CREATE INDEX "status_callbacks_lane_idx" ON "status_callbacks" USING btree ("account_id","lane","due_at");--> statement-breakpoint
CREATE INDEX "status_callbacks_created_idx" ON "status_callbacks" USING btree ("created_at");