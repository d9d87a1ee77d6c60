import { eq, sql } from 'drizzle-orm'
import { authenticationModes, sipTrunks as table } from '../db/schema.ts'
import { done } from '../errors.ts'
import { containing, equalTo, from, oneOf, until } from '../json-api/filter.ts'
import { bySeq, byText, byTime } from '../json-api/page.ts'
import { defineResource } from '../json-api/resource.ts'
import type { Platform } from '../platform.ts'
import { registrationsOf } from '../switches/registration.ts'
import { changeTrunk } from '../trunks/change.ts'
import { deleteTrunk, selectTrunks } from '../trunks/queries.ts'
import type { Trunk } from '../trunks/trunk.ts'
import { findWarnings } from '../trunks/warnings.ts'
import { accounts } from './accounts.ts'
import { recordUpdates } from './audit.ts'
import type { CarrierScope } from './authenticate.ts'
import { trunkAnswered, trunkAttributes, trunkEntries, trunkFieldNames, trunkMeta } from './sip-trunk-json.ts'

/** `sip_trunks` (specification, "Endpoints"). */
export const sipTrunks = (platform: Platform) => {
  const { env, keys } = platform
  return defineResource({
    type: 'sip_trunk',
    path: 'sip_trunks',
    description: 'A connection to a SIP provider or PBX.',
    entries: trunkEntries(env.regions),
    fieldNames: trunkFieldNames,
    required: ['name', 'authentication_mode', 'region'],
    answered: trunkAnswered,
    secrets: ['password'],
    example: {
      create: {
        name: 'My Trunk',
        authentication_mode: 'ip_address',
        region: env.regions[0]?.alias,
        max_channels: 30,
        inbound_country: 'US',
        inbound_source_ips: ['203.0.113.1'],
        default_sender: '1234567890',
        outbound_host: 'pbx.example.com:5060',
        outbound_dial_string_prefix: '+1',
        outbound_national_dialing: false,
        outbound_plus_prefix: true,
        outbound_route_prefixes: ['1855'],
      },
      update: { name: 'Updated Trunk Name' },
    },
    toAttributes: (trunk: Trunk) => trunkAttributes(trunk, platform),
    relationships: {},
    table,
    own: ({ carrier }: CarrierScope) => eq(table.carrierId, carrier.id),
    select: ({ db, carrier }, page) => selectTrunks(db, carrier.id, page),
    sort: {
      name: byText(sql`${table.name}`, ({ name }) => name),
      created_at: bySeq(sql`${table.seq}`),
      updated_at: byTime(sql`${table.updatedAt}`, ({ updatedAt }) => updatedAt),
    },
    filters: {
      name: containing(table.name),
      authentication_mode: oneOf(table.authenticationMode, authenticationModes),
      region: equalTo(table.region),
      username: equalTo(table.username),
      from_date: from(table.createdAt),
      to_date: until(table.createdAt),
    },
    create: ({ db, carrier }, { values, issues }) =>
      changeTrunk(db, keys, { type: 'new', carrierId: carrier.id }, values, issues),
    update: ({ db }, trunk, { values, issues }) =>
      changeTrunk(db, keys, { type: 'existing', trunk }, values, issues),
    remove: async (scope, trunk) => {
      await recordUpdates(accounts(platform), scope, await deleteTrunk(scope.db, trunk))
      return done(null)
    },
    toMeta: async ({ db }, trunks, alone) => {
      const meta = new Map<string, Record<string, unknown>>()
      const registrations = await registrationsOf(db, trunks)
      for (const trunk of trunks) {
        const said = trunkMeta(alone ? await findWarnings(db, trunk) : [], registrations.get(trunk.id))
        if (said !== null) meta.set(trunk.id, said)
      }
      return meta
    },
  })
}
