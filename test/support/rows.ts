import type { Carrier } from '../../src/accounts/account.ts'
import { insertAccount, insertCarrier } from '../../src/accounts/queries.ts'
import { insertIncomingPhoneNumber, insertPhoneNumber } from '../../src/numbers/queries.ts'
import type { Platform } from '../../src/platform.ts'
import { changeTrunk } from '../../src/trunks/change.ts'
import type { Trunk, TrunkSettings } from '../../src/trunks/trunk.ts'

/** A carrier with one enabled account. */
export const createTenant = async (platform: Platform, name = 'Carrier') =>
  tenantOf(platform, await insertCarrier(platform.db, { name, countryCode: 'US', billingCurrency: 'USD' }))

/** A carrier that is there, with one enabled account more. */
export async function tenantOf({ db, keys }: Platform, carrier: Carrier) {
  const account = await insertAccount(db, keys, { carrierId: carrier.id, name: `${carrier.name}'s account` })
  return { carrier, account }
}

export type Tenant = Awaited<ReturnType<typeof createTenant>>

/** A trunk of the tenant, by address 127.0.0.2 unless the settings say otherwise. */
export async function createTrunk(
  { db, keys }: Platform,
  { carrier }: Pick<Tenant, 'carrier'>,
  settings: Partial<TrunkSettings> = {},
): Promise<Trunk> {
  const byAddress = settings.authenticationMode === undefined || settings.authenticationMode === 'ip_address'
  const made = await changeTrunk(
    db,
    keys,
    { type: 'new', carrierId: carrier.id },
    {
      name: 'Trunk',
      authenticationMode: 'ip_address',
      region: 'hydrogen',
      inboundCountry: 'US',
      ...(byAddress ? { sourceIps: ['127.0.0.2'] } : {}),
      ...settings,
    },
  )
  if (made.type === 'refused') throw new Error(JSON.stringify(made.issues))
  return made.value
}

/** A number of the tenant's inventory, assigned to its account. */
export async function assignNumber(
  { db }: Platform,
  { carrier, account }: Tenant,
  number: string,
  settings: Parameters<typeof insertIncomingPhoneNumber>[3] = {},
) {
  const stored = await insertPhoneNumber(db, {
    carrierId: carrier.id,
    number,
    type: number.length < 7 ? 'short_code' : 'local',
    country: 'US',
  })
  return insertIncomingPhoneNumber(db, account, stored, settings)
}
