import { sql } from 'drizzle-orm'
import {
  bigserial,
  boolean,
  char,
  check,
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  numeric,
  type PgColumn,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core'

// The one list of tables. Identifiers are random UUIDs (contract section 3); `seq` is the order of insertion, which
// ids do not tell: it settles ties ("equal ones by creation order") and is the key of cursor paging.

const inet = customType<{ data: string }>({ dataType: () => 'inet' })
const bytea = customType<{ data: Uint8Array; driverData: Uint8Array }>({ dataType: () => 'bytea' })

const id = () => uuid().primaryKey().defaultRandom()
const seq = () => bigserial({ mode: 'number' }).notNull()
const at = () => timestamp({ withTimezone: true, mode: 'date' })
const timestamps = {
  createdAt: at().notNull().defaultNow(),
  updatedAt: at().notNull().defaultNow(),
}
const oneOf = (column: PgColumn, values: readonly string[]) =>
  sql`${column} IN (${sql.raw(values.map((value) => `'${value}'`).join(', '))})`

export const authenticationModes = ['ip_address', 'client_credentials', 'outbound_registration'] as const
export const accountStatuses = ['enabled', 'disabled'] as const
export const phoneNumberTypes = ['local', 'mobile', 'toll_free', 'short_code'] as const
export const visibilities = ['private', 'public', 'disabled'] as const
export const callDirections = ['inbound', 'outbound-api', 'outbound-dial'] as const
export const callStatuses = [
  'queued',
  'initiated',
  'ringing',
  'in-progress',
  'completed',
  'busy',
  'no-answer',
  'failed',
  'canceled',
] as const
/** Statuses in which a call is at a switch and so takes one of its trunk's channels (contract section 7). */
export const liveStatuses = ['initiated', 'ringing', 'in-progress'] as const
export const rateDirections = ['inbound', 'outbound'] as const
export const webhookStates = ['pending', 'answered', 'failed'] as const

export const carriers = pgTable('carriers', {
  id: id(),
  seq: seq(),
  name: text().notNull(),
  countryCode: char({ length: 2 }).notNull(),
  billingCurrency: char({ length: 3 }).notNull(),
  ...timestamps,
})

export const apiTokens = pgTable('api_tokens', {
  id: id(),
  carrierId: uuid()
    .notNull()
    .references(() => carriers.id, { onDelete: 'cascade' }),
  /** SHA-256 of the token, hex: the token itself is stored nowhere. */
  tokenHash: text().notNull().unique(),
  revokedAt: at(),
  ...timestamps,
})

export const sipTrunks = pgTable(
  'sip_trunks',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid()
      .notNull()
      .references(() => carriers.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    authenticationMode: text({ enum: authenticationModes }).notNull(),
    region: text().notNull(),
    maxChannels: integer(),
    defaultSender: text(),
    inboundCountry: char({ length: 2 }),
    outboundHost: text(),
    outboundProxy: text(),
    authUser: text(),
    outboundDialStringPrefix: text(),
    outboundNationalDialing: boolean().notNull().default(false),
    outboundPlusPrefix: boolean().notNull().default(false),
    username: text(),
    /** AES-256-GCM: see secrets.ts. */
    passwordEncrypted: bytea(),
    /** Counts the changes of what FreeSWITCH runs for this trunk; its gateway carries the number. */
    version: integer().notNull().default(1),
    ...timestamps,
  },
  (t) => [
    unique('sip_trunks_carrier_id_id_key').on(t.carrierId, t.id),
    uniqueIndex('sip_trunks_carrier_id_seq_key').on(t.carrierId, t.seq),
    // A digest user name alone names its trunk, so it is unique on the platform; a user name at somebody else's
    // registrar is not ours to be unique.
    uniqueIndex('sip_trunks_client_username_key')
      .on(t.username)
      .where(sql`authentication_mode = 'client_credentials'`),
    index('sip_trunks_gateways_idx')
      .on(t.region, t.id)
      .where(sql`authentication_mode = 'outbound_registration'`),
    check('sip_trunks_mode_check', oneOf(t.authenticationMode, authenticationModes)),
    check('sip_trunks_max_channels_check', sql`${t.maxChannels} > 0`),
  ],
)

export const trunkSourceIps = pgTable(
  'sip_trunk_source_ips',
  {
    trunkId: uuid()
      .notNull()
      .references(() => sipTrunks.id, { onDelete: 'cascade' }),
    position: integer().notNull(),
    network: inet().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.trunkId, t.position] }),
    uniqueIndex('sip_trunk_source_ips_trunk_network_key').on(t.trunkId, t.network),
    index('sip_trunk_source_ips_network_idx').using('gist', t.network.op('inet_ops')),
  ],
)

/** A trunk without prefixes has one row with the empty prefix: the catch-all is the shortest match. */
export const trunkRoutePrefixes = pgTable(
  'sip_trunk_route_prefixes',
  {
    trunkId: uuid().notNull(),
    carrierId: uuid().notNull(),
    position: integer().notNull(),
    prefix: text().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.trunkId, t.position] }),
    foreignKey({
      name: 'sip_trunk_route_prefixes_trunk_fkey',
      columns: [t.carrierId, t.trunkId],
      foreignColumns: [sipTrunks.carrierId, sipTrunks.id],
    }).onDelete('cascade'),
    index('sip_trunk_route_prefixes_prefix_idx').on(t.carrierId, t.prefix),
    check('sip_trunk_route_prefixes_digits_check', sql`${t.prefix} ~ '^[0-9]*$'`),
  ],
)

export const accounts = pgTable(
  'accounts',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid()
      .notNull()
      .references(() => carriers.id, { onDelete: 'cascade' }),
    name: text().notNull(),
    status: text({ enum: accountStatuses }).notNull().default('enabled'),
    metadata: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    sipTrunkId: uuid(),
    billingEnabled: boolean().notNull().default(false),
    /** Whether a call that fails before ringing is tried on the next trunk. */
    failover: boolean().notNull().default(false),
    authTokenEncrypted: bytea().notNull(),
    ...timestamps,
  },
  (t) => [
    unique('accounts_carrier_id_id_key').on(t.carrierId, t.id),
    uniqueIndex('accounts_carrier_id_seq_key').on(t.carrierId, t.seq),
    // Two columns, so that an account can only ever point at a trunk of its own carrier. Deleting a trunk clears the
    // column first, in the same transaction (SET NULL on one of two columns needs PostgreSQL 15).
    foreignKey({
      name: 'accounts_sip_trunk_fkey',
      columns: [t.carrierId, t.sipTrunkId],
      foreignColumns: [sipTrunks.carrierId, sipTrunks.id],
    }),
    index('accounts_sip_trunk_idx').on(t.sipTrunkId),
    check('accounts_status_check', oneOf(t.status, accountStatuses)),
  ],
)

export const phoneNumbers = pgTable(
  'phone_numbers',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid()
      .notNull()
      .references(() => carriers.id, { onDelete: 'cascade' }),
    /** Digits only: E.164 without its plus, or a short code. */
    number: text().notNull(),
    type: text({ enum: phoneNumberTypes }).notNull(),
    country: char({ length: 2 }).notNull(),
    visibility: text({ enum: visibilities }).notNull().default('private'),
    metadata: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    ...timestamps,
  },
  (t) => [
    unique('phone_numbers_carrier_id_number_key').on(t.carrierId, t.number),
    unique('phone_numbers_carrier_id_id_number_key').on(t.carrierId, t.id, t.number),
    uniqueIndex('phone_numbers_carrier_id_seq_key').on(t.carrierId, t.seq),
    check('phone_numbers_number_check', sql`${t.number} ~ '^[0-9]{1,15}$'`),
    check('phone_numbers_type_check', oneOf(t.type, phoneNumberTypes)),
    check('phone_numbers_visibility_check', oneOf(t.visibility, visibilities)),
  ],
)

export const incomingPhoneNumbers = pgTable(
  'incoming_phone_numbers',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid().notNull(),
    accountId: uuid().notNull(),
    phoneNumberId: uuid().notNull(),
    number: text().notNull(),
    /** The last six digits: what any way of dialling a number has in common, so that one statement finds the trunk
     * and the numbers it may mean before the trunk's country is known (trunks/identify.ts). */
    numberTail: text().generatedAlwaysAs(sql`right(number, 6)`),
    status: text({ enum: ['active', 'released'] })
      .notNull()
      .default('active'),
    voiceUrl: text(),
    voiceMethod: text({ enum: ['GET', 'POST'] })
      .notNull()
      .default('POST'),
    voiceFallbackUrl: text(),
    voiceFallbackMethod: text({ enum: ['GET', 'POST'] })
      .notNull()
      .default('POST'),
    statusCallbackUrl: text(),
    statusCallbackMethod: text({ enum: ['GET', 'POST'] })
      .notNull()
      .default('POST'),
    sipDomain: text(),
    friendlyName: text(),
    releasedAt: at(),
    ...timestamps,
  },
  (t) => [
    uniqueIndex('incoming_phone_numbers_active_key').on(t.phoneNumberId).where(sql`status = 'active'`),
    uniqueIndex('incoming_phone_numbers_carrier_id_seq_key').on(t.carrierId, t.seq),
    index('incoming_phone_numbers_tail_idx').on(t.carrierId, t.numberTail).where(sql`status = 'active'`),
    index('incoming_phone_numbers_account_idx').on(t.accountId, t.seq),
    index('incoming_phone_numbers_phone_number_idx').on(t.phoneNumberId),
    foreignKey({
      name: 'incoming_phone_numbers_account_fkey',
      columns: [t.carrierId, t.accountId],
      foreignColumns: [accounts.carrierId, accounts.id],
    }).onDelete('cascade'),
    foreignKey({
      name: 'incoming_phone_numbers_phone_number_fkey',
      columns: [t.carrierId, t.phoneNumberId, t.number],
      foreignColumns: [phoneNumbers.carrierId, phoneNumbers.id, phoneNumbers.number],
    }).onUpdate('cascade'),
    check('incoming_phone_numbers_status_check', oneOf(t.status, ['active', 'released'])),
  ],
)

export const phoneCalls = pgTable(
  'phone_calls',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid().notNull(),
    accountId: uuid().notNull(),
    /** The trunk that it took, also when that is gone: no foreign key, which would cost a trunk's deletion each of its
     * calls. */
    sipTrunkId: uuid(),
    incomingPhoneNumberId: uuid().references(() => incomingPhoneNumbers.id, { onDelete: 'set null' }),
    parentCallId: uuid(),
    direction: text({ enum: callDirections }).notNull(),
    status: text({ enum: callStatuses }).notNull(),
    from: text('from_number').notNull(),
    to: text('to_number').notNull(),
    /** FreeSWITCH's channel UUID. Never shown outside: who knows it can take the call over (freeswitch.md 4.4). */
    channelUuid: uuid().unique(),
    /** Switch name (`hostname` of its fetches) that the channel runs on. */
    switchName: text(),
    price: numeric({ precision: 14, scale: 5 }),
    priceUnit: char({ length: 3 }),
    /** When a call whose end is assumed is charged at the latest; null once its price is settled. */
    chargeDueAt: at(),
    sipResponseCode: integer(),
    hangupCause: text(),
    /** Answered seconds. */
    duration: integer(),
    /** Number of the newest webhook request (or document) of this call; its TwiML is what runs. */
    step: integer().notNull().default(0),
    /** Where TwiML comes from and how the call is to be placed: see calls/call.ts. */
    instructions: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    /** Each trunk looked at when the call was routed, and why it was taken or not. */
    routeSteps: jsonb().$type<unknown[]>().notNull().default([]),
    statusCallbackUrl: text(),
    statusCallbackMethod: text({ enum: ['GET', 'POST'] }),
    statusCallbackEvents: text().array(),
    /** SequenceNumber of the next status callback. */
    callbackSequence: integer().notNull().default(0),
    /** When the queue may look at this call again: to place it, or to tell its switch what the API wants of it. */
    dueAt: at(),
    /** A server process has taken the call from the queue and has until then to have a switch place it; null before and
     * after. */
    placingUntil: at(),
    startedAt: at(),
    ringingAt: at(),
    answeredAt: at(),
    endedAt: at(),
    ...timestamps,
  },
  (t) => [
    unique('phone_calls_carrier_id_id_key').on(t.carrierId, t.id),
    uniqueIndex('phone_calls_carrier_id_seq_key').on(t.carrierId, t.seq),
    index('phone_calls_account_idx').on(t.accountId, t.seq),
    index('phone_calls_parent_idx').on(t.parentCallId),
    index('phone_calls_incoming_phone_number_idx').on(t.incomingPhoneNumberId),
    // Live calls of a trunk are its channels in use: counted, never kept in a counter that could leak.
    index('phone_calls_live_idx')
      .on(t.sipTrunkId)
      .where(sql`status IN ('initiated', 'ringing', 'in-progress')`),
    index('phone_calls_queue_idx').on(t.sipTrunkId, t.seq).where(sql`status = 'queued'`),
    index('phone_calls_due_idx')
      .on(t.dueAt)
      .where(sql`status IN ('initiated', 'ringing', 'in-progress') AND due_at IS NOT NULL`),
    index('phone_calls_charge_idx').on(t.chargeDueAt).where(sql`charge_due_at IS NOT NULL`),
    index('phone_calls_placing_idx').on(t.placingUntil).where(sql`placing_until IS NOT NULL`),
    index('phone_calls_trunk_idx').on(t.sipTrunkId, t.seq),
    // Which channels of a trunk have just become free.
    index('phone_calls_ended_idx').on(t.sipTrunkId, t.updatedAt).where(sql`ended_at IS NOT NULL`),
    foreignKey({
      name: 'phone_calls_account_fkey',
      columns: [t.carrierId, t.accountId],
      foreignColumns: [accounts.carrierId, accounts.id],
    }),
    foreignKey({
      name: 'phone_calls_parent_fkey',
      columns: [t.carrierId, t.parentCallId],
      foreignColumns: [t.carrierId, t.id],
    }),
    check('phone_calls_direction_check', oneOf(t.direction, callDirections)),
    check('phone_calls_status_check', oneOf(t.status, callStatuses)),
  ],
)

/** One row a webhook request for TwiML: its log, and the mailbox in which any server process finds the answer. */
export const webhookRequests = pgTable(
  'webhook_requests',
  {
    id: uuid().notNull().defaultRandom(),
    seq: seq(),
    carrierId: uuid().notNull(),
    accountId: uuid().notNull(),
    callId: uuid()
      .notNull()
      .references(() => phoneCalls.id, { onDelete: 'cascade' }),
    step: integer().notNull(),
    state: text({ enum: webhookStates }).notNull(),
    method: text({ enum: ['GET', 'POST'] }).notNull(),
    /** Empty for a document that came without a request (sip_domain, the Twiml parameter). */
    url: text().notNull(),
    params: jsonb().$type<Record<string, string>>().notNull().default({}),
    /** The URL that answered after redirects: base of the document's relative URLs. */
    finalUrl: text(),
    /** The TwiML that came back; of an answer that cannot be run, its first bytes. */
    document: text(),
    httpStatus: integer(),
    durationMs: integer(),
    problem: text(),
    /** What in the TwiML is not used as it stands, as sentences. */
    warnings: jsonb().$type<string[]>().notNull().default([]),
    /** A request still pending after this was lost with its server process and may be made again. */
    expiresAt: at(),
    ...timestamps,
  },
  (t) => [
    primaryKey({ columns: [t.callId, t.step] }),
    unique('webhook_requests_id_key').on(t.id),
    uniqueIndex('webhook_requests_carrier_id_seq_key').on(t.carrierId, t.seq),
    index('webhook_requests_account_idx').on(t.accountId, t.seq),
  ],
)

/** Status callbacks still to be delivered, one row each; delivered ones are deleted. */
export const statusCallbacks = pgTable(
  'status_callbacks',
  {
    id: id(),
    seq: seq(),
    /** Callbacks with one key go out in order: the call's id, or the recording's. */
    orderKey: uuid().notNull(),
    accountId: uuid()
      .notNull()
      .references(() => accounts.id, { onDelete: 'cascade' }),
    callId: uuid(),
    url: text().notNull(),
    method: text({ enum: ['GET', 'POST'] }).notNull(),
    params: jsonb().$type<Record<string, string>>().notNull(),
    attempts: integer().notNull().default(0),
    dueAt: at().notNull().defaultNow(),
    /** Which of the account's 1024 lanes its host has. A hash, so that nobody can have more of them; two hosts share one
     * by bad luck only. */
    lane: smallint()
      .notNull()
      .generatedAlwaysAs(
        sql`(hashtext(lower(coalesce(substring(url from '^[a-zA-Z]+://(?:[^/?#]*@)?([^/?#]*)'), ''))) & 1023)::smallint`,
      ),
    ...timestamps,
  },
  (t) => [
    index('status_callbacks_lane_idx').on(t.accountId, t.lane, t.dueAt),
    index('status_callbacks_order_idx').on(t.orderKey, t.seq),
    index('status_callbacks_created_idx').on(t.createdAt),
  ],
)

/** Lanes of status callbacks whose host did not answer lately. */
export const callbackLanes = pgTable(
  'callback_lanes',
  {
    accountId: uuid()
      .notNull()
      .references(() => accounts.id, { onDelete: 'cascade' }),
    lane: smallint().notNull(),
    /** Rounds of requests in a row that were not answered. */
    failures: integer().notNull(),
    /** Nothing goes out until then. */
    restsUntil: at().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.accountId, t.lane] }),
    index('callback_lanes_rests_until_idx').on(t.restsUntil),
  ],
)

export const recordings = pgTable(
  'recordings',
  {
    id: id(),
    seq: seq(),
    accountId: uuid()
      .notNull()
      .references(() => accounts.id),
    callId: uuid()
      .notNull()
      .references(() => phoneCalls.id),
    /** `expected`: its part of the document is written, and the switch has not come to it yet. */
    status: text({
      enum: ['expected', 'in-progress', 'processing', 'completed', 'absent', 'deleted'],
    }).notNull(),
    source: text({ enum: ['RecordVerb', 'DialVerb', 'OutboundAPI'] }).notNull(),
    /** The verb that takes it, as `<step>.<index>`; null: the whole call's. */
    verb: text(),
    /** Unguessable last path segment under which FreeSWITCH uploads the file. */
    uploadKey: text().notNull().unique(),
    /** The whole of our own URL to it, by which FreeSWITCH knows the recording: each server process may have another. */
    uploadUrl: text(),
    channels: integer().notNull().default(1),
    duration: integer(),
    bytes: integer(),
    /** Whether silence at both ends is cut off. */
    trim: boolean().notNull().default(false),
    callbackUrl: text(),
    callbackMethod: text({ enum: ['GET', 'POST'] }),
    callbackEvents: text().array().notNull().default([]),
    startedAt: at().notNull().defaultNow(),
    ...timestamps,
  },
  (t) => [
    index('recordings_account_idx').on(t.accountId, t.seq),
    index('recordings_call_idx').on(t.callId),
    // Those whose file is still to come: the recordings of live calls, and the few that are overdue.
    index('recordings_waiting_idx')
      .on(t.updatedAt)
      .where(sql`status IN ('expected', 'in-progress', 'processing')`),
  ],
)

/** What a prompt's file is made from, by the keyed hash that names the file: any process can make it again. */
export const audioPrompts = pgTable(
  'audio_prompts',
  {
    id: text().primaryKey(),
    source: jsonb().$type<Record<string, unknown>>().notNull(),
    /** Whose call named it first, also when it is gone: in whose share of speech and downloads it is made. */
    accountId: uuid(),
    /** When a step named it last, to the day. */
    createdAt: at().notNull().defaultNow(),
  },
  (t) => [index('audio_prompts_created_at_idx').on(t.createdAt)],
)

/** Every CDR that a switch posted, by the channel's UUID: the same record twice is one record. */
export const cdrs = pgTable('cdrs', {
  channelUuid: uuid().primaryKey(),
  callId: uuid(),
  record: jsonb().$type<Record<string, unknown>>().notNull(),
  createdAt: at().notNull().defaultNow(),
})

export const rates = pgTable(
  'rates',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid()
      .notNull()
      .references(() => carriers.id, { onDelete: 'cascade' }),
    direction: text({ enum: rateDirections }).notNull(),
    prefix: text().notNull(),
    pricePerMinute: numeric({ precision: 14, scale: 5 }).notNull(),
    ...timestamps,
  },
  (t) => [
    unique('rates_carrier_direction_prefix_key').on(t.carrierId, t.direction, t.prefix),
    uniqueIndex('rates_carrier_id_seq_key').on(t.carrierId, t.seq),
    check('rates_prefix_check', sql`${t.prefix} ~ '^[0-9]*$'`),
    check('rates_price_check', sql`${t.pricePerMinute} >= 0`),
  ],
)

export const errorLogs = pgTable(
  'error_logs',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid()
      .notNull()
      .references(() => carriers.id, { onDelete: 'cascade' }),
    accountId: uuid().references(() => accounts.id, { onDelete: 'set null' }),
    /** Also when it is gone, as in phone_calls. */
    sipTrunkId: uuid(),
    callId: uuid().references(() => phoneCalls.id, { onDelete: 'set null' }),
    type: text().notNull(),
    message: text().notNull(),
    details: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    createdAt: at().notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('error_logs_carrier_id_seq_key').on(t.carrierId, t.seq),
    index('error_logs_account_idx').on(t.accountId),
    index('error_logs_trunk_idx').on(t.sipTrunkId, t.createdAt),
    index('error_logs_call_idx').on(t.callId),
  ],
)

/** Calls from addresses that no trunk lists, one row an address and hour, so that scanners cannot fill a table. */
export const unidentifiedSources = pgTable(
  'unidentified_sources',
  {
    sourceIp: inet().notNull(),
    hour: at().notNull(),
    calls: integer().notNull().default(1),
    /** The last call seen: destination and caller id as they came. */
    sample: jsonb().$type<Record<string, unknown>>().notNull(),
    ...timestamps,
  },
  (t) => [primaryKey({ columns: [t.sourceIp, t.hour] }), index('unidentified_sources_hour_idx').on(t.hour)],
)

/** The audit trail: every write through the carrier API, and what the switch reported about trunks. */
export const events = pgTable(
  'events',
  {
    id: id(),
    seq: seq(),
    carrierId: uuid()
      .notNull()
      .references(() => carriers.id, { onDelete: 'cascade' }),
    type: text().notNull(),
    resourceId: uuid(),
    /** The API token that made the change; null when the platform itself did. */
    apiTokenId: uuid().references(() => apiTokens.id, { onDelete: 'set null' }),
    details: jsonb().$type<Record<string, unknown>>().notNull(),
    createdAt: at().notNull().defaultNow(),
  },
  (t) => [
    uniqueIndex('events_carrier_id_seq_key').on(t.carrierId, t.seq),
    index('events_resource_idx').on(t.resourceId),
  ],
)

/** Calls created with an Idempotency-Key, and the SHA-256 of what was asked. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    accountId: uuid()
      .notNull()
      .references(() => accounts.id, { onDelete: 'cascade' }),
    key: text().notNull(),
    requestHash: text().notNull(),
    callId: uuid()
      .notNull()
      .references(() => phoneCalls.id, { onDelete: 'cascade' }),
    createdAt: at().notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.accountId, t.key] }),
    index('idempotency_keys_created_at_idx').on(t.createdAt),
  ],
)

/** The switches of REGIONS_FILE as last seen by whichever server process watches them. */
export const switches = pgTable('switches', {
  /** `host:port` of its event socket. */
  id: text().primaryKey(),
  region: text().notNull(),
  /** Its own name, which its fetches carry as `hostname`. */
  name: text(),
  /** The name that it had before, which calls of that time carry. */
  formerName: text(),
  state: text({ enum: ['up', 'down'] }).notNull(),
  since: at().notNull().defaultNow(),
  /** When its holder last found it alive; the hold ends six seconds later. */
  seenAt: at(),
  /** The one server process that reconciles it and writes down what it tells. */
  holder: uuid(),
  ...timestamps,
})

/** What a switch says of a gateway; the wish stands in sip_trunks. The row is also the right to run it: a switch starts
 * no gateway whose row names another one that lives. */
export const gatewayStates = pgTable(
  'gateway_states',
  {
    trunkId: uuid()
      .primaryKey()
      .references(() => sipTrunks.id, { onDelete: 'cascade' }),
    switchId: text().notNull(),
    state: text().notNull(),
    sipCode: integer(),
    reason: text(),
    runningVersion: integer(),
    /** The address its registrar answered from: proof of identity for calls that arrive from it. */
    networkIp: inet(),
    expiresAt: at(),
    nextTryAt: at(),
    since: at().notNull().defaultNow(),
    ...timestamps,
  },
  (t) => [index('gateway_states_switch_idx').on(t.switchId)],
)

/** Contacts that clients of client_credentials trunks have registered at a switch. The row stays when its trunk goes,
 * until the switch has forgotten the contact. */
export const registrations = pgTable(
  'registrations',
  {
    trunkId: uuid().notNull(),
    /** Tells the credentials that let the client in from later ones: see trunks/registration-mark.ts. */
    mark: text().notNull(),
    username: text().notNull(),
    switchId: text().notNull(),
    /** SIP Call-ID of the registration. */
    registrationId: text().notNull(),
    contact: text().notNull(),
    userAgent: text(),
    networkIp: inet(),
    networkPort: integer(),
    expiresAt: at().notNull(),
    ...timestamps,
  },
  (t) => [
    // Clients choose their Call-IDs, so two users may have the same one.
    primaryKey({ columns: [t.switchId, t.registrationId, t.username] }),
    index('registrations_trunk_idx').on(t.trunkId),
  ],
)
