ALTER TABLE "registrations" ADD COLUMN "mark" text NOT NULL;--> statement-breakpoint
ALTER TABLE "registrations" DROP COLUMN "trunk_version";