import { eq, sql } from 'drizzle-orm'
import * as v from 'valibot'
import { type StoredEvent, selectEvents } from '../db/audit.ts'
import { events as table } from '../db/schema.ts'
import { equalTo, from, ids, until } from '../json-api/filter.ts'
import { bySeq } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { anyObject, described, timestamps } from '../json-api/schemas.ts'
import type { CarrierScope } from './authenticate.ts'

/** `events` (contract section 5): the audit trail. */
export const events = () =>
  defineResource({
    type: 'event',
    path: 'events',
    description: 'A change: what, when, by which token, with the resource before and after.',
    entries: {},
    fieldNames: {},
    required: [],
    answered: {
      type: described(v.string(), 'Type of the resource and what happened to it: `sip_trunk.updated`.'),
      resource_id: described(v.nullable(v.string()), 'Id of the resource.'),
      api_token_id: described(
        v.nullable(v.string()),
        'The API token that made the change; null: the platform.',
      ),
      details: described(anyObject, 'The resource before and after, secrets left out.'),
      created_at: timestamps.created_at,
    },
    secrets: [],
    toAttributes: (event: StoredEvent) => ({
      type: event.type,
      resource_id: event.resourceId,
      api_token_id: event.apiTokenId,
      details: event.details,
      created_at: event.createdAt.toISOString(),
    }),
    relationships: {},
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectEvents(db, carrier.id, page),
    sort: { created_at: bySeq(sql`${table.seq}`) },
    filters: {
      type: equalTo(table.type),
      resource: ids(table.resourceId),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
  })
