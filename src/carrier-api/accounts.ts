import { eq, sql } from 'drizzle-orm'
import * as v from 'valibot'
import type { Account } from '../accounts/account.ts'
import { changeAccount, createAccount, removeAccount } from '../accounts/change.ts'
import { hasTrunk, selectAccounts } from '../accounts/queries.ts'
import { readableAuthTokenOf } from '../accounts/tokens.ts'
import { accountStatuses, accounts as table } from '../db/schema.ts'
import { issue } from '../errors.ts'
import type { Draft } from '../json-api/draft.ts'
import { containing, from, ids, oneOf, trueOrFalse, until } from '../json-api/filter.ts'
import { unknownTarget } from '../json-api/link.ts'
import { bySeq, byText, byTime } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import { described, line, metadata, preset, timestamps } from '../json-api/schemas.ts'
import type { Platform } from '../platform.ts'
import { toSid } from '../sid.ts'
import type { CarrierScope } from './authenticate.ts'

const entries = {
  name: described(line(255), 'Name of the business.'),
  status: described(
    preset(v.picklist(accountStatuses), 'enabled'),
    'A disabled account makes and gets no calls.',
  ),
  metadata: described(
    v.nullable(metadata),
    'Your own data; a change is merged into what is there, null removes.',
  ),
  sip_trunk_id: described(
    v.nullable(v.pipe(v.string(), v.uuid('must be null or an id'), v.toLowerCase())),
    'The trunk that all of its outbound calls take; null: the shared ones.',
  ),
  billing_enabled: described(preset(v.boolean(), false), 'Whether its calls are charged by the rates.'),
  failover: described(
    preset(v.boolean(), false),
    'Whether a call that fails before ringing is tried on the next trunk.',
  ),
}

const answered = {
  sid: described(v.string(), 'The id in the form of the Twilio API.'),
  auth_token: described(
    v.nullable(v.string()),
    'The password of the account in the Twilio API; null where what is stored cannot be read.',
  ),
  ...timestamps,
}

/** `accounts` (contract section 5). */
export const accounts = (platform: Platform) => {
  const { keys } = platform
  return defineResource({
    type: 'account',
    path: 'accounts',
    description: 'A business on your platform: with its own numbers, calls and credentials.',
    entries,
    fieldNames: {},
    required: ['name'],
    answered,
    secrets: ['auth_token'],
    example: {
      create: { name: 'Business A', metadata: { crm_id: 4711 }, billing_enabled: true },
      update: { status: 'disabled', metadata: { note: 'unpaid' } },
    },
    toAttributes: (account: Account) => ({
      name: account.name,
      status: account.status,
      metadata: account.metadata,
      sip_trunk_id: account.sipTrunkId,
      billing_enabled: account.billingEnabled,
      failover: account.failover,
      sid: toSid('AC', account.id),
      auth_token: shownAuthToken(account, platform),
      created_at: account.createdAt.toISOString(),
      updated_at: account.updatedAt.toISOString(),
    }),
    relationships: {
      sip_trunk: {
        type: 'sip_trunk',
        id: ({ sipTrunkId }) => sipTrunkId,
        writable: 'always',
        description: 'The dedicated trunk: what sip_trunk_id says.',
      },
    },
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectAccounts(db, carrier.id, page),
    sort: {
      name: byText(sql`${table.name}`, ({ name }) => name),
      created_at: bySeq(sql`${table.seq}`),
      updated_at: byTime(sql`${table.updatedAt}`, ({ updatedAt }) => updatedAt),
    },
    filters: {
      name: containing(table.name),
      status: oneOf(table.status, accountStatuses),
      sip_trunk: ids(table.sipTrunkId),
      billing_enabled: trueOrFalse(table.billingEnabled),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
    create: async (scope, draft) => {
      const { values, issues } = await joinTrunk(scope, null, draft)
      return createAccount(scope.db, keys, scope.carrier.id, values, issues)
    },
    update: async (scope, account, draft) => {
      const { values, issues } = await joinTrunk(scope, account.sipTrunkId, draft)
      return changeAccount(scope.db, account, values, issues)
    },
    remove: ({ db }, account) => removeAccount(db, account),
  })
}

// One account that cannot be read must not hide the others.
function shownAuthToken(account: Account, { keys, log }: Platform): string | null {
  const token = readableAuthTokenOf(keys, account)
  if (token === null) log.error({ accountId: account.id }, 'The auth token of an account cannot be read')
  return token
}

// The dedicated trunk can be set as an attribute and as a relationship. A client that sends a whole document back has
// changed one of them: that one counts.
async function joinTrunk(
  { db, carrier }: CarrierScope,
  current: string | null,
  { values, links, issues }: Draft<typeof entries, Record<never, never>>,
) {
  const wished = new Set(
    [values.sipTrunkId, links.sip_trunk].filter((id) => id !== undefined && id !== current),
  )
  if (wished.size > 1) return { values, issues: [...issues, contradiction] }
  const linked = links.sip_trunk
  const sipTrunkId = wished.size === 1 && wished.has(linked) ? linked : values.sipTrunkId
  if (linked != null && wished.has(linked) && !(await hasTrunk(db, carrier.id, linked)))
    return { values, issues: [...issues, unknownTarget('sip_trunk')] }
  return { values: { ...values, ...(sipTrunkId === undefined ? {} : { sipTrunkId }) }, issues }
}

const contradiction = issue(
  ['relationships', 'sip_trunk'],
  'invalid',
  'is invalid',
  'sip_trunk_id and the relationship sip_trunk name different trunks.',
)
