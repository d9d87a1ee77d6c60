import { toSid } from './accounts/account.ts'
import { insertAccount, insertCarrier } from './accounts/queries.ts'
import { authTokenOf, issueApiToken } from './accounts/tokens.ts'
import { carriers } from './db/schema.ts'
import { insertIncomingPhoneNumber, insertPhoneNumber } from './numbers/queries.ts'
import type { Platform } from './platform.ts'
import { changeTrunk } from './trunks/change.ts'

/** What a newcomer needs to try everything: printed once, at the first start on an embedded database. */
export type Demo = {
  carrierToken: string
  accountId: string
  accountSid: string
  authToken: string
  /** E.164. */
  number: string
  trunkId: string
}

/** Creates a carrier with an account, a number and a trunk for calls from 192.0.2.1 (reserved for documentation, so that it meets nobody's own trunk), or gives null when the database
 * has a carrier already (contract section 1). */
export async function createDemo({ db, keys, env }: Platform): Promise<Demo | null> {
  return db.transaction(async (tx) => {
    if ((await tx.select({ id: carriers.id }).from(carriers).limit(1)).length > 0) return null
    const carrier = await insertCarrier(tx, {
      name: 'Demo Carrier',
      countryCode: 'US',
      billingCurrency: 'USD',
    })
    const account = await insertAccount(tx, keys, { carrierId: carrier.id, name: 'Demo Account' })
    const number = await insertPhoneNumber(tx, {
      carrierId: carrier.id,
      number: '12025550123',
      type: 'local',
      country: 'US',
    })
    await insertIncomingPhoneNumber(tx, account, number)
    const trunk = await changeTrunk(
      tx,
      keys,
      { type: 'new', carrierId: carrier.id },
      {
        name: 'Demo Trunk',
        authenticationMode: 'ip_address',
        region: env.regions[0]?.alias ?? '',
        inboundCountry: 'US',
        sourceIps: ['192.0.2.1'],
      },
    )
    if (trunk.type === 'refused') throw new Error(JSON.stringify(trunk.issues))
    const { token } = await issueApiToken(tx, carrier.id)
    return {
      carrierToken: token,
      accountId: account.id,
      accountSid: toSid('AC', account.id),
      authToken: authTokenOf(keys, account),
      number: `+${number.number}`,
      trunkId: trunk.value.id,
    }
  })
}
