CREATE TABLE "accounts" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"name" text NOT NULL,
	"status" text DEFAULT 'enabled' NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"sip_trunk_id" uuid,
	"billing_enabled" boolean DEFAULT false NOT NULL,
	"failover" boolean DEFAULT false NOT NULL,
	"auth_token_encrypted" "bytea" NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "accounts_carrier_id_id_key" UNIQUE("carrier_id","id"),
	CONSTRAINT "accounts_status_check" CHECK ("accounts"."status" IN ('enabled', 'disabled'))
);
--> statement-breakpoint
CREATE TABLE "api_tokens" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"carrier_id" uuid NOT NULL,
	"token_hash" text NOT NULL,
	"revoked_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "api_tokens_tokenHash_unique" UNIQUE("token_hash")
);
--> statement-breakpoint
CREATE TABLE "audio_prompts" (
	"id" text PRIMARY KEY NOT NULL,
	"source" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "carriers" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"name" text NOT NULL,
	"country_code" char(2) NOT NULL,
	"billing_currency" char(3) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "cdrs" (
	"channel_uuid" uuid PRIMARY KEY NOT NULL,
	"call_id" uuid,
	"record" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "error_logs" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"account_id" uuid,
	"sip_trunk_id" uuid,
	"call_id" uuid,
	"type" text NOT NULL,
	"message" text NOT NULL,
	"details" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "events" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"type" text NOT NULL,
	"resource_id" uuid,
	"api_token_id" uuid,
	"details" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "gateway_states" (
	"trunk_id" uuid PRIMARY KEY NOT NULL,
	"switch_id" text NOT NULL,
	"state" text NOT NULL,
	"sip_code" integer,
	"reason" text,
	"running_version" integer,
	"network_ip" "inet",
	"expires_at" timestamp with time zone,
	"next_try_at" timestamp with time zone,
	"since" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"account_id" uuid NOT NULL,
	"key" text NOT NULL,
	"request_hash" text NOT NULL,
	"call_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_account_id_key_pk" PRIMARY KEY("account_id","key")
);
--> statement-breakpoint
CREATE TABLE "incoming_phone_numbers" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"phone_number_id" uuid NOT NULL,
	"number" text NOT NULL,
	"number_tail" text GENERATED ALWAYS AS (right(number, 6)) STORED,
	"status" text DEFAULT 'active' NOT NULL,
	"voice_url" text,
	"voice_method" text DEFAULT 'POST' NOT NULL,
	"voice_fallback_url" text,
	"voice_fallback_method" text DEFAULT 'POST' NOT NULL,
	"status_callback_url" text,
	"status_callback_method" text DEFAULT 'POST' NOT NULL,
	"sip_domain" text,
	"friendly_name" text,
	"released_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "incoming_phone_numbers_status_check" CHECK ("incoming_phone_numbers"."status" IN ('active', 'released'))
);
--> statement-breakpoint
CREATE TABLE "phone_calls" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"sip_trunk_id" uuid,
	"incoming_phone_number_id" uuid,
	"parent_call_id" uuid,
	"direction" text NOT NULL,
	"status" text NOT NULL,
	"from_number" text NOT NULL,
	"to_number" text NOT NULL,
	"channel_uuid" uuid,
	"switch_name" text,
	"price" numeric(14, 5),
	"price_unit" char(3),
	"sip_response_code" integer,
	"hangup_cause" text,
	"duration" integer,
	"step" integer DEFAULT 0 NOT NULL,
	"instructions" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"route_steps" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"status_callback_url" text,
	"status_callback_method" text,
	"status_callback_events" text[],
	"callback_sequence" integer DEFAULT 0 NOT NULL,
	"due_at" timestamp with time zone,
	"started_at" timestamp with time zone,
	"ringing_at" timestamp with time zone,
	"answered_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "phone_calls_channelUuid_unique" UNIQUE("channel_uuid"),
	CONSTRAINT "phone_calls_carrier_id_id_key" UNIQUE("carrier_id","id"),
	CONSTRAINT "phone_calls_direction_check" CHECK ("phone_calls"."direction" IN ('inbound', 'outbound-api', 'outbound-dial')),
	CONSTRAINT "phone_calls_status_check" CHECK ("phone_calls"."status" IN ('queued', 'initiated', 'ringing', 'in-progress', 'completed', 'busy', 'no-answer', 'failed', 'canceled'))
);
--> statement-breakpoint
CREATE TABLE "phone_numbers" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"number" text NOT NULL,
	"type" text NOT NULL,
	"country" char(2) NOT NULL,
	"visibility" text DEFAULT 'private' NOT NULL,
	"metadata" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "phone_numbers_carrier_id_number_key" UNIQUE("carrier_id","number"),
	CONSTRAINT "phone_numbers_carrier_id_id_number_key" UNIQUE("carrier_id","id","number"),
	CONSTRAINT "phone_numbers_number_check" CHECK ("phone_numbers"."number" ~ '^[0-9]{1,15}$'),
	CONSTRAINT "phone_numbers_type_check" CHECK ("phone_numbers"."type" IN ('local', 'mobile', 'toll_free', 'short_code')),
	CONSTRAINT "phone_numbers_visibility_check" CHECK ("phone_numbers"."visibility" IN ('private', 'public', 'disabled'))
);
--> statement-breakpoint
CREATE TABLE "rates" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"direction" text NOT NULL,
	"prefix" text NOT NULL,
	"price_per_minute" numeric(14, 5) NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "rates_carrier_direction_prefix_key" UNIQUE("carrier_id","direction","prefix"),
	CONSTRAINT "rates_prefix_check" CHECK ("rates"."prefix" ~ '^[0-9]*$'),
	CONSTRAINT "rates_price_check" CHECK ("rates"."price_per_minute" >= 0)
);
--> statement-breakpoint
CREATE TABLE "recordings" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"account_id" uuid NOT NULL,
	"call_id" uuid NOT NULL,
	"status" text NOT NULL,
	"source" text NOT NULL,
	"upload_key" text NOT NULL,
	"channels" integer DEFAULT 1 NOT NULL,
	"duration" integer,
	"bytes" integer,
	"callback_url" text,
	"callback_method" text,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "recordings_uploadKey_unique" UNIQUE("upload_key")
);
--> statement-breakpoint
CREATE TABLE "registrations" (
	"trunk_id" uuid NOT NULL,
	"switch_id" text NOT NULL,
	"registration_id" text NOT NULL,
	"contact" text NOT NULL,
	"user_agent" text,
	"network_ip" "inet",
	"network_port" integer,
	"expires_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "registrations_switch_id_registration_id_pk" PRIMARY KEY("switch_id","registration_id")
);
--> statement-breakpoint
CREATE TABLE "sip_trunks" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"carrier_id" uuid NOT NULL,
	"name" text NOT NULL,
	"authentication_mode" text NOT NULL,
	"region" text NOT NULL,
	"max_channels" integer,
	"default_sender" text,
	"inbound_country" char(2),
	"outbound_host" text,
	"outbound_proxy" text,
	"auth_user" text,
	"outbound_dial_string_prefix" text,
	"outbound_national_dialing" boolean DEFAULT false NOT NULL,
	"outbound_plus_prefix" boolean DEFAULT false NOT NULL,
	"username" text,
	"password_encrypted" "bytea",
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "sip_trunks_carrier_id_id_key" UNIQUE("carrier_id","id"),
	CONSTRAINT "sip_trunks_mode_check" CHECK ("sip_trunks"."authentication_mode" IN ('ip_address', 'client_credentials', 'outbound_registration')),
	CONSTRAINT "sip_trunks_max_channels_check" CHECK ("sip_trunks"."max_channels" > 0)
);
--> statement-breakpoint
CREATE TABLE "status_callbacks" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"seq" bigserial NOT NULL,
	"order_key" uuid NOT NULL,
	"account_id" uuid NOT NULL,
	"call_id" uuid,
	"url" text NOT NULL,
	"method" text NOT NULL,
	"params" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"due_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "switches" (
	"id" text PRIMARY KEY NOT NULL,
	"region" text NOT NULL,
	"name" text,
	"state" text NOT NULL,
	"since" timestamp with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sip_trunk_route_prefixes" (
	"trunk_id" uuid NOT NULL,
	"carrier_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"prefix" text NOT NULL,
	CONSTRAINT "sip_trunk_route_prefixes_trunk_id_position_pk" PRIMARY KEY("trunk_id","position"),
	CONSTRAINT "sip_trunk_route_prefixes_digits_check" CHECK ("sip_trunk_route_prefixes"."prefix" ~ '^[0-9]*$')
);
--> statement-breakpoint
CREATE TABLE "sip_trunk_source_ips" (
	"trunk_id" uuid NOT NULL,
	"position" integer NOT NULL,
	"network" "inet" NOT NULL,
	CONSTRAINT "sip_trunk_source_ips_trunk_id_position_pk" PRIMARY KEY("trunk_id","position")
);
--> statement-breakpoint
CREATE TABLE "unidentified_sources" (
	"source_ip" "inet" NOT NULL,
	"hour" timestamp with time zone NOT NULL,
	"calls" integer DEFAULT 1 NOT NULL,
	"sample" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "unidentified_sources_source_ip_hour_pk" PRIMARY KEY("source_ip","hour")
);
--> statement-breakpoint
CREATE TABLE "webhook_requests" (
	"call_id" uuid NOT NULL,
	"step" integer NOT NULL,
	"state" text NOT NULL,
	"method" text NOT NULL,
	"url" text NOT NULL,
	"params" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"final_url" text,
	"document" text,
	"http_status" integer,
	"duration_ms" integer,
	"problem" text,
	"expires_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "webhook_requests_call_id_step_pk" PRIMARY KEY("call_id","step")
);
--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_carrier_id_carriers_id_fk" FOREIGN KEY ("carrier_id") REFERENCES "public"."carriers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "accounts" ADD CONSTRAINT "accounts_sip_trunk_fkey" FOREIGN KEY ("carrier_id","sip_trunk_id") REFERENCES "public"."sip_trunks"("carrier_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "api_tokens" ADD CONSTRAINT "api_tokens_carrier_id_carriers_id_fk" FOREIGN KEY ("carrier_id") REFERENCES "public"."carriers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "error_logs" ADD CONSTRAINT "error_logs_carrier_id_carriers_id_fk" FOREIGN KEY ("carrier_id") REFERENCES "public"."carriers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "error_logs" ADD CONSTRAINT "error_logs_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "error_logs" ADD CONSTRAINT "error_logs_sip_trunk_id_sip_trunks_id_fk" FOREIGN KEY ("sip_trunk_id") REFERENCES "public"."sip_trunks"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "error_logs" ADD CONSTRAINT "error_logs_call_id_phone_calls_id_fk" FOREIGN KEY ("call_id") REFERENCES "public"."phone_calls"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_carrier_id_carriers_id_fk" FOREIGN KEY ("carrier_id") REFERENCES "public"."carriers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "events" ADD CONSTRAINT "events_api_token_id_api_tokens_id_fk" FOREIGN KEY ("api_token_id") REFERENCES "public"."api_tokens"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "gateway_states" ADD CONSTRAINT "gateway_states_trunk_id_sip_trunks_id_fk" FOREIGN KEY ("trunk_id") REFERENCES "public"."sip_trunks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_call_id_phone_calls_id_fk" FOREIGN KEY ("call_id") REFERENCES "public"."phone_calls"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "incoming_phone_numbers" ADD CONSTRAINT "incoming_phone_numbers_account_fkey" FOREIGN KEY ("carrier_id","account_id") REFERENCES "public"."accounts"("carrier_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "incoming_phone_numbers" ADD CONSTRAINT "incoming_phone_numbers_phone_number_fkey" FOREIGN KEY ("carrier_id","phone_number_id","number") REFERENCES "public"."phone_numbers"("carrier_id","id","number") ON DELETE no action ON UPDATE cascade;--> statement-breakpoint
ALTER TABLE "phone_calls" ADD CONSTRAINT "phone_calls_sip_trunk_id_sip_trunks_id_fk" FOREIGN KEY ("sip_trunk_id") REFERENCES "public"."sip_trunks"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "phone_calls" ADD CONSTRAINT "phone_calls_incoming_phone_number_id_incoming_phone_numbers_id_fk" FOREIGN KEY ("incoming_phone_number_id") REFERENCES "public"."incoming_phone_numbers"("id") ON DELETE set null ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "phone_calls" ADD CONSTRAINT "phone_calls_account_fkey" FOREIGN KEY ("carrier_id","account_id") REFERENCES "public"."accounts"("carrier_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "phone_calls" ADD CONSTRAINT "phone_calls_parent_fkey" FOREIGN KEY ("carrier_id","parent_call_id") REFERENCES "public"."phone_calls"("carrier_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "phone_numbers" ADD CONSTRAINT "phone_numbers_carrier_id_carriers_id_fk" FOREIGN KEY ("carrier_id") REFERENCES "public"."carriers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "rates" ADD CONSTRAINT "rates_carrier_id_carriers_id_fk" FOREIGN KEY ("carrier_id") REFERENCES "public"."carriers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "recordings" ADD CONSTRAINT "recordings_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "recordings" ADD CONSTRAINT "recordings_call_id_phone_calls_id_fk" FOREIGN KEY ("call_id") REFERENCES "public"."phone_calls"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "registrations" ADD CONSTRAINT "registrations_trunk_id_sip_trunks_id_fk" FOREIGN KEY ("trunk_id") REFERENCES "public"."sip_trunks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sip_trunks" ADD CONSTRAINT "sip_trunks_carrier_id_carriers_id_fk" FOREIGN KEY ("carrier_id") REFERENCES "public"."carriers"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "status_callbacks" ADD CONSTRAINT "status_callbacks_account_id_accounts_id_fk" FOREIGN KEY ("account_id") REFERENCES "public"."accounts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sip_trunk_route_prefixes" ADD CONSTRAINT "sip_trunk_route_prefixes_trunk_fkey" FOREIGN KEY ("carrier_id","trunk_id") REFERENCES "public"."sip_trunks"("carrier_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sip_trunk_source_ips" ADD CONSTRAINT "sip_trunk_source_ips_trunk_id_sip_trunks_id_fk" FOREIGN KEY ("trunk_id") REFERENCES "public"."sip_trunks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_requests" ADD CONSTRAINT "webhook_requests_call_id_phone_calls_id_fk" FOREIGN KEY ("call_id") REFERENCES "public"."phone_calls"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "accounts_carrier_id_seq_key" ON "accounts" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE INDEX "accounts_sip_trunk_idx" ON "accounts" USING btree ("sip_trunk_id");--> statement-breakpoint
CREATE UNIQUE INDEX "error_logs_carrier_id_seq_key" ON "error_logs" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE INDEX "error_logs_account_idx" ON "error_logs" USING btree ("account_id");--> statement-breakpoint
CREATE INDEX "error_logs_trunk_idx" ON "error_logs" USING btree ("sip_trunk_id");--> statement-breakpoint
CREATE INDEX "error_logs_call_idx" ON "error_logs" USING btree ("call_id");--> statement-breakpoint
CREATE UNIQUE INDEX "events_carrier_id_seq_key" ON "events" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE INDEX "events_resource_idx" ON "events" USING btree ("resource_id");--> statement-breakpoint
CREATE UNIQUE INDEX "incoming_phone_numbers_active_key" ON "incoming_phone_numbers" USING btree ("phone_number_id") WHERE status = 'active';--> statement-breakpoint
CREATE UNIQUE INDEX "incoming_phone_numbers_carrier_id_seq_key" ON "incoming_phone_numbers" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE INDEX "incoming_phone_numbers_tail_idx" ON "incoming_phone_numbers" USING btree ("carrier_id","number_tail") WHERE status = 'active';--> statement-breakpoint
CREATE INDEX "incoming_phone_numbers_account_idx" ON "incoming_phone_numbers" USING btree ("account_id","seq");--> statement-breakpoint
CREATE INDEX "incoming_phone_numbers_phone_number_idx" ON "incoming_phone_numbers" USING btree ("phone_number_id");--> statement-breakpoint
CREATE UNIQUE INDEX "phone_calls_carrier_id_seq_key" ON "phone_calls" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE INDEX "phone_calls_account_idx" ON "phone_calls" USING btree ("account_id","seq");--> statement-breakpoint
CREATE INDEX "phone_calls_parent_idx" ON "phone_calls" USING btree ("parent_call_id");--> statement-breakpoint
CREATE INDEX "phone_calls_incoming_phone_number_idx" ON "phone_calls" USING btree ("incoming_phone_number_id");--> statement-breakpoint
CREATE INDEX "phone_calls_live_idx" ON "phone_calls" USING btree ("sip_trunk_id") WHERE status IN ('initiated', 'ringing', 'in-progress');--> statement-breakpoint
CREATE INDEX "phone_calls_queue_idx" ON "phone_calls" USING btree ("seq") WHERE status = 'queued';--> statement-breakpoint
CREATE INDEX "phone_calls_trunk_idx" ON "phone_calls" USING btree ("sip_trunk_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "phone_numbers_carrier_id_seq_key" ON "phone_numbers" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "rates_carrier_id_seq_key" ON "rates" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE INDEX "recordings_account_idx" ON "recordings" USING btree ("account_id","seq");--> statement-breakpoint
CREATE INDEX "recordings_call_idx" ON "recordings" USING btree ("call_id");--> statement-breakpoint
CREATE INDEX "registrations_trunk_idx" ON "registrations" USING btree ("trunk_id");--> statement-breakpoint
CREATE UNIQUE INDEX "sip_trunks_carrier_id_seq_key" ON "sip_trunks" USING btree ("carrier_id","seq");--> statement-breakpoint
CREATE UNIQUE INDEX "sip_trunks_client_username_key" ON "sip_trunks" USING btree ("username") WHERE authentication_mode = 'client_credentials';--> statement-breakpoint
CREATE INDEX "sip_trunks_gateways_idx" ON "sip_trunks" USING btree ("region","id") WHERE authentication_mode = 'outbound_registration';--> statement-breakpoint
CREATE INDEX "status_callbacks_due_idx" ON "status_callbacks" USING btree ("due_at");--> statement-breakpoint
CREATE INDEX "status_callbacks_order_idx" ON "status_callbacks" USING btree ("order_key","seq");--> statement-breakpoint
CREATE INDEX "sip_trunk_route_prefixes_prefix_idx" ON "sip_trunk_route_prefixes" USING btree ("carrier_id","prefix");--> statement-breakpoint
CREATE UNIQUE INDEX "sip_trunk_source_ips_trunk_network_key" ON "sip_trunk_source_ips" USING btree ("trunk_id","network");--> statement-breakpoint
CREATE INDEX "sip_trunk_source_ips_network_idx" ON "sip_trunk_source_ips" USING gist ("network" inet_ops);--> statement-breakpoint
CREATE INDEX "unidentified_sources_hour_idx" ON "unidentified_sources" USING btree ("hour");