import { eq, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { type ErrorLogRecord, selectErrorLogs } from '../calls/record.ts'
import { errorLogs as table } from '../db/schema.ts'
import { equalTo, from, ids, until } from '../json-api/filter.ts'
import { bySeq } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { anyObject, described, timestamps } from '../json-api/schemas.ts'
import type { CarrierScope } from './authenticate.ts'

/** `error_logs` (contract section 5): what went wrong with calls, and why. */
export const errorLogs = () =>
  defineResource({
    type: 'error_log',
    path: 'error_logs',
    description: 'Something that went wrong with a call.',
    entries: {},
    fieldNames: {},
    required: [],
    answered: {
      type: described(v.string(), 'What kind of error it is.'),
      message: described(v.string(), 'One sentence.'),
      details: described(anyObject, 'What is known of it.'),
      created_at: timestamps.created_at,
    },
    secrets: [],
    toAttributes: (log: ErrorLogRecord) => ({
      type: log.type,
      message: log.message,
      details: log.details,
      created_at: log.createdAt.toISOString(),
    }),
    relationships: {
      account: { type: 'account', id: ({ accountId }) => accountId, description: 'Whose call it was.' },
      sip_trunk: {
        type: 'sip_trunk',
        id: ({ sipTrunkId }) => sipTrunkId,
        description: 'The trunk. One that was deleted stays named here, and is not in `included`.',
      },
      phone_call: {
        type: 'phone_call',
        id: ({ callId }) => callId,
        description: 'The call, if there is a record.',
      },
    },
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectErrorLogs(db, carrier.id, page),
    sort: { created_at: bySeq(sql`${table.seq}`) },
    filters: {
      type: equalTo(table.type),
      account: ids(table.accountId),
      sip_trunk: ids(table.sipTrunkId),
      phone_call: ids(table.callId),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
  })
