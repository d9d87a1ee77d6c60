import { and, eq, type SQL, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { selectWebhookRequests, type WebhookRequestRecord, wasAsked } from '../calls/record.ts'
import { webhookRequests as table, webhookStates } from '../db/schema.ts'
import { filter, from, ids, oneOf, until } from '../json-api/filter.ts'
import { bySeq } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { described, timestamps } from '../json-api/schemas.ts'
import type { CarrierScope } from './authenticate.ts'

const answered = {
  url: described(v.string(), 'The URL that was asked.'),
  method: described(v.picklist(['GET', 'POST']), 'How it was asked.'),
  final_url: described(
    v.nullable(v.string()),
    'The URL that answered in the end: where redirects led, or the fallback.',
  ),
  state: described(v.picklist(webhookStates), 'Whether it has answered, and with TwiML that can be run.'),
  status_code: described(v.nullable(v.number()), 'HTTP status of the answer.'),
  duration_ms: described(v.nullable(v.number()), 'Milliseconds that it took.'),
  problem: described(
    v.nullable(v.string()),
    'What was wrong; of a request that a fallback has answered, what was wrong before.',
  ),
  warnings: described(
    v.array(v.string()),
    'What in the TwiML is not used as it stands, and what stands in for it.',
  ),
  answer: described(v.nullable(v.string()), 'The first 500 characters of what came back.'),
  created_at: timestamps.created_at,
}

/** `webhook_requests`: each request for TwiML, how long it took and what came back. */
export const webhookRequests = () =>
  defineResource({
    type: 'webhook_request',
    path: 'webhook_requests',
    description: 'A request for the TwiML of a call. Kept for 30 days.',
    entries: {},
    fieldNames: {},
    required: [],
    answered,
    secrets: [],
    toAttributes,
    relationships: {
      account: { type: 'account', id: ({ accountId }) => accountId, description: 'Whose webhook it is.' },
      phone_call: { type: 'phone_call', id: ({ callId }) => callId, description: 'The call it was about.' },
    },
    table,
    own: ({ carrier }: CarrierScope) => and(eq(table.carrierId, carrier.id), wasAsked),
    select: ({ db, carrier }, page) => selectWebhookRequests(db, carrier.id, page),
    sort: { created_at: bySeq(sql`${table.seq}`) },
    filters: {
      account: ids(table.accountId),
      phone_call: ids(table.callId),
      state: oneOf(table.state, webhookStates),
      status_code: filter('An HTTP status.', statusCode, (status): SQL => eq(table.httpStatus, status)),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
  })

const statusCode = v.pipe(
  v.string(),
  v.regex(/^[1-9]\d\d$/, 'Expected an HTTP status of three digits.'),
  v.transform(Number),
)

const toAttributes = (request: WebhookRequestRecord) => ({
  url: request.url,
  method: request.method,
  final_url: request.finalUrl,
  state: request.state,
  status_code: request.httpStatus,
  duration_ms: request.durationMs,
  problem: request.problem,
  warnings: request.warnings,
  answer: request.answer,
  created_at: request.createdAt.toISOString(),
})
